/** A small shop: what the demo's agent works on. */

export const DATABASE = 'shop'
/** The role that the sidecar connects as; its password never leaves the sidecar. */
export const ROLE = 'shop_app'

export const SAMPLE = `
CREATE TABLE customers (
  id integer PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  ssn text NOT NULL,
  city text NOT NULL
);
CREATE TABLE orders (
  id integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  item text NOT NULL,
  amount numeric(10,2) NOT NULL,
  status text NOT NULL DEFAULT 'open'
);
INSERT INTO customers VALUES
  (1, 'Ada Palmer', 'ada.palmer@example.com', '078-05-1120', 'Leeds'),
  (2, 'Bao Tran', 'bao.tran@example.com', '219-09-9999', 'Hue'),
  (3, 'Chidi Eze', 'chidi.eze@example.com', '457-55-5462', 'Enugu'),
  (4, 'Dalia Haddad', 'dalia@example.org', '321-45-6780', 'Amman');
INSERT INTO orders VALUES
  (101, 1, 'telescope', 410.00, 'open'),
  (102, 1, 'star chart', 24.90, 'sent'),
  (103, 2, 'bicycle', 890.00, 'open'),
  (104, 3, 'kettle', 39.00, 'open'),
  (105, 4, 'violin strings', 17.50, 'sent'),
  (106, 4, 'music stand', 62.00, 'open');
`

/** What lies on the demo's host. */
export const LOG = `09:14:02 INFO  order 101 packed
09:14:40 ERROR payment of order 102 was declined
09:15:11 INFO  order 103 packed
09:17:55 WARN  the printer is out of labels
09:18:20 ERROR payment of order 105 was declined
`
export const ORDERS = `id,status,amount
101,sent,24.90
102,open,12.50
103,sent,80.00
104,cancelled,15.75
105,open,33.10
`

const CORE = '/api/v1/namespaces/default'
const APPS = '/apis/apps/v1/namespaces/default'
const LABELS = { app: 'web' }
const TEMPLATE = { metadata: { labels: LABELS }, spec: { containers: [{ name: 'web', image: 'shop/web:1.4' }] } }
/** What a controller manager and a kubelet would say, which this cluster does not have. */
const RUNNING = {
  status: {
    phase: 'Running',
    containerStatuses: [
      {
        name: 'web',
        image: 'shop/web:1.4',
        imageID: '',
        ready: true,
        restartCount: 0,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  },
}

/** The password in the Secret of the demo's cluster. */
const CLUSTER_PASSWORD = 'tulips-in-april'

/** What is in the demo's cluster, as the requests that put it there. */
export const CLUSTER: readonly (readonly ['POST' | 'PATCH', string, object])[] = [
  ['POST', '/api/v1/namespaces', { metadata: { name: 'default' } }],
  ['POST', `${CORE}/serviceaccounts`, { metadata: { name: 'default' } }],
  [
    'POST',
    `${CORE}/secrets`,
    { metadata: { name: 'shop-db' }, stringData: { user: 'shop', password: CLUSTER_PASSWORD } },
  ],
  [
    'POST',
    `${APPS}/deployments`,
    { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: LABELS }, template: TEMPLATE } },
  ],
  [
    'PATCH',
    `${APPS}/deployments/web/status`,
    { status: { replicas: 2, readyReplicas: 2, updatedReplicas: 2, availableReplicas: 2 } },
  ],
  ...['web-0', 'web-1'].flatMap((name): ['POST' | 'PATCH', string, object][] => [
    ['POST', `${CORE}/pods`, { ...TEMPLATE, metadata: { name, labels: LABELS } }],
    ['PATCH', `${CORE}/pods/${name}/status`, RUNNING],
  ]),
]
