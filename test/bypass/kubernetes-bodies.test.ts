/** Bodies that the gate and the API server could read differently, and representations that masks could miss. */
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { besiegeCluster } from './kubernetes-siege.ts'

t.setTimeout(200_000)

const siege = await besiegeCluster(t)

const MAPS = '/api/v1/namespaces/open/configmaps'
const JSON_TYPE = 'application/json'
const PROTOBUF = 'application/vnd.kubernetes.protobuf'

function request(
  method: string,
  path: string,
  type: string,
  body: Uint8Array | string,
  more: readonly string[] = [],
): Buffer {
  const bytes = Buffer.from(body)
  const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', `Content-Length: ${bytes.length}`, ...more]
  if (type !== '') head.push(`Content-Type: ${type}`)
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes])
}

/** Length-delimited fields of protobuf, whose numbers and lengths are below 128 here. */
function field(number: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes])
}

const metadata = (...fields: readonly Buffer[]) => field(1, Buffer.concat(fields))
const name = (value: string) => field(1, value)
const namespace = (value: string) => field(3, value)

function envelope(kind: string, raw: Buffer, ...more: readonly Buffer[]): Buffer {
  const type = Buffer.concat([field(1, 'v1'), field(2, kind)])
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw), ...more])
}

t.test('what is permitted is written, in each form', async (t) => {
  const fine = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"fine-json"}}'
  t.match(await siege.attack(t, 'JSON', request('POST', MAPS, JSON_TYPE, fine)), 'HTTP/1.1 201')
  const binary = envelope('ConfigMap', metadata(name('fine-binary')))
  t.match(await siege.attack(t, 'protobuf', request('POST', MAPS, PROTOBUF, binary)), 'HTTP/1.1 201')
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine-yaml}\n'
  const path = `${MAPS}/fine-yaml?fieldManager=me&force=true`
  const applied = await siege.attack(t, 'YAML', request('PATCH', path, 'application/apply-patch+yaml', yaml))
  t.match(applied, 'HTTP/1.1 201')
  t.match(
    await siege.attack(t, 'a forbidden name', request('POST', MAPS, JSON_TYPE, fine.replace('fine', 'evil'))),
    '[test.refused]',
  )
  await siege.holds(t)
})

t.test('no body creates under one name what was judged under another', async (t) => {
  const evil = (inner: string) => `{"apiVersion":"v1","kind":"ConfigMap",${inner}}`
  for (const body of [
    evil('"metadata":{"name":"fine","name":"evil"}'),
    evil('"metadata":{"name":"evil","name":"fine"}'),
    evil('"metadata":{"name":"fine"},"metadata":{"name":"evil"}'),
    evil('"metadata":{"name":"fine"},"Metadata":{"name":"evil"}'),
    evil('"metadata":{"name":"fine","Name":"evil"}'),
    evil('"metadata":{"Name":"evil","name":"fine"}'),
    evil('"metadata":{"name":"fine","n\\u0061me":"evil"}'),
    evil('"metadata":{"name":"fine"},"metad\\u0061ta":{"name":"evil"}'),
    evil('"metadata":{"name":"fine\\u0000evil"}'),
    evil('"metadata":{"name":"fine","namespace":"closed"}'),
    evil('"metadata":{"generateName":"evil-"}'),
    evil('"metadata":{"__proto__":{"name":"fine"},"name":"evil"}'),
    evil('"__proto__":{"metadata":{"name":"fine"}},"metadata":{"name":"evil"}'),
    evil('"metadata":{"name":"evil"}') + evil('"metadata":{"name":"fine"}'),
    `\ufeff${evil('"metadata":{"name":"evil"}')}`,
    evil('"metadata":{"name":"fine"/*","name":"evil"*/}'),
    evil("'metadata':{'name':'evil'}"),
    '---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: evil\n',
    'metadata: &a {name: evil}\nmetadata: {name: fine}\nkind: ConfigMap\napiVersion: v1\n',
    'kind: ConfigMap\napiVersion: v1\nmetadata:\n  <<: {name: evil}\n',
    '{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"evil"}}]}',
    '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"fine"}}',
    '['.repeat(100_000),
  ]) {
    for (const type of [
      JSON_TYPE,
      '',
      'application/yaml',
      'application/JSON; charset=utf-16',
      'text/plain',
      `${JSON_TYPE}, ${PROTOBUF}`,
    ]) {
      await siege.attack(t, `${type} ${body.slice(0, 80)}`, request('POST', MAPS, type, body))
    }
  }
  const utf16 = Buffer.from(evil('"metadata":{"name":"evil"}'), 'utf16le')
  await siege.attack(t, 'UTF-16', request('POST', MAPS, JSON_TYPE, utf16))
  const packed = gzipSync(evil('"metadata":{"name":"evil"}'))
  await siege.attack(t, 'gzip', request('POST', MAPS, JSON_TYPE, packed, ['Content-Encoding: gzip']))
  await siege.attack(t, 'gzip without saying so', request('POST', MAPS, JSON_TYPE, packed))
  await siege.holds(t)
})

t.test('no message of protobuf hides what it makes', async (t) => {
  const fine = metadata(name('fine'))
  for (const [title, body] of Object.entries({
    'two names': envelope('ConfigMap', metadata(name('fine'), name('evil'))),
    'two metadata': envelope('ConfigMap', Buffer.concat([fine, metadata(name('evil'))])),
    'another namespace': envelope('ConfigMap', metadata(name('fine'), namespace('closed'))),
    'an unknown field': envelope('ConfigMap', Buffer.concat([fine, field(15, 'hidden')])),
    'an unknown field of metadata': envelope('ConfigMap', metadata(name('fine'), field(14, 'hidden'))),
    'two messages': envelope('ConfigMap', metadata(name('fine')), field(2, metadata(name('evil')))),
    'two types': envelope(
      'ConfigMap',
      metadata(name('evil')),
      field(1, Buffer.concat([field(1, 'v1'), field(2, 'Secret')])),
    ),
    'another kind': envelope('Secret', metadata(name('fine'))),
    'an unknown kind': envelope('Evil', metadata(name('fine'))),
    'an encoding': envelope('ConfigMap', gzipSync(metadata(name('evil'))), field(3, 'gzip')),
    'JSON within': envelope('ConfigMap', Buffer.from('{"metadata":{"name":"evil"}}'), field(4, JSON_TYPE)),
    'a length past the end': Buffer.concat([envelope('ConfigMap', fine).subarray(0, -2), Buffer.of(0xff)]),
    'bytes behind it': Buffer.concat([envelope('ConfigMap', fine), Buffer.of(0)]),
    'a group': envelope('ConfigMap', Buffer.concat([fine, Buffer.of((15 << 3) | 3, (15 << 3) | 4)])),
    'no magic': envelope('ConfigMap', metadata(name('evil'))).subarray(4),
    CBOR: Buffer.from('d9d9f7a1636b696e6469436f6e6669674d6170', 'hex'),
  })) {
    for (const type of [PROTOBUF, JSON_TYPE, 'application/cbor', `${PROTOBUF}; as=Table`]) {
      await siege.attack(t, `${title}, ${type}`, request('POST', MAPS, type, body))
    }
  }
  await siege.holds(t)
})

t.test('no patch changes what its path does not name', async (t) => {
  const merge = 'application/merge-patch+json'
  for (const [type, body] of [
    [merge, '{"metadata":{"name":"evil"}}'],
    [merge, '{"metadata":{"namespace":"closed"}}'],
    [merge, '{"data":{"a":"1","a":"2"}}'],
    ['application/json-patch+json', '[{"op":"replace","path":"/metadata/name","value":"evil"}]'],
    ['application/json-patch+json', '[{"op":"add","path":"/data/a","value":"1","path":"/metadata/labels"}]'],
    ['application/strategic-merge-patch+json', '{"$patch":"replace","metadata":{"name":"evil"}}'],
    ['application/strategic-merge-patch+json', '{"$patch":"delete"}'],
    ['application/apply-patch+yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: evil}\n'],
    ['application/apply-patch+yaml', 'apiVersion: v1\nkind: Secret\nmetadata: {name: plain}\n'],
    ['application/apply-patch+cbor', '\u00d9\u00d9\u00f7'],
    [JSON_TYPE, '{"data":{"a":"changed"}}'],
    ['', '{"data":{"a":"changed"}}'],
  ] as const) {
    for (const at of [
      'plain',
      'fine-patched?fieldManager=me',
      'plain?dryRun=All',
      'plain?dryRun=',
      'plain?force=true',
    ]) {
      await siege.attack(t, `${type} ${at} ${body}`, request('PATCH', `${MAPS}/${at}`, type, body))
    }
  }
  await siege.attack(
    t,
    'a name of another',
    request('PUT', `${MAPS}/fine-json`, JSON_TYPE, '{"metadata":{"name":"plain"}}'),
  )
  await siege.attack(
    t,
    'options of a delete',
    request('DELETE', `${MAPS}/plain`, JSON_TYPE, '{"dryRun":["All"],"dryRun":[]}'),
  )
  await siege.holds(t)
})

t.test('no patch fills the memory by what is to be told of it', async (t) => {
  const long = 'k'.repeat(1_000_000)
  const many = `{${Array.from({ length: 90_000 }, (_, index) => `"${index}":1`).join(',')}}`
  for (const [type, body] of [
    ['application/merge-patch+json', `{"${long}":${many}}`],
    ['application/json-patch+json', `[{"op":"add","path":"/${long}","value":${many}}]`],
    ['application/json-patch+json', `[{"op":"add","path":"${'/a'.repeat(1_000_000)}","value":1}]`],
    ['application/strategic-merge-patch+json', `{"${long}":${many}}`],
    ['application/apply-patch+yaml', `{"apiVersion":"v1","kind":"ConfigMap","${long}":${many}}`],
  ] as const) {
    const told = await siege.attack(t, type, request('PATCH', `${MAPS}/plain?fieldManager=me`, type, body))
    t.match(told, /HTTP\/1\.1 (413|400)/, type)
  }
  await siege.holds(t)
})

t.test('no representation shows what is masked', async (t) => {
  const accepts = [
    JSON_TYPE,
    '*/*',
    '',
    PROTOBUF,
    `${PROTOBUF};stream=watch`,
    'application/yaml',
    'application/cbor',
    'application/cbor-seq',
    `${JSON_TYPE};as=Table;v=v1;g=meta.k8s.io`,
    `${JSON_TYPE};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`,
    `${JSON_TYPE};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,${PROTOBUF}`,
    `${JSON_TYPE};q=0,${PROTOBUF};q=1`,
    `${PROTOBUF};a="${JSON_TYPE}"`,
    `text/plain,${PROTOBUF}`,
  ]
  const at = '/api/v1/namespaces/open/secrets'
  for (const accept of accepts) {
    for (const path of [
      `${at}/kept`,
      at,
      `${at}?limit=1`,
      `${at}?watch=1&timeoutSeconds=1`,
      `${at}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      `${at}?includeObject=Object`,
      `${at}?pretty=true`,
      `${at}?fieldSelector=data.value%3Dx`,
    ]) {
      for (const coding of ['identity', 'gzip, br']) {
        const headers = ['Host: localhost', `Accept: ${accept}`, `Accept-Encoding: ${coding}`]
        await siege.attack(
          t,
          `${accept} ${path}`,
          Buffer.from(`GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`),
        )
      }
    }
  }
  await siege.holds(t)
})
