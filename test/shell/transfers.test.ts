import t from 'tap'
import { factsOf } from './facts.ts'

const SERVERS: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['scp -t /srv/x', 'scp', 'upload', ['/srv/x']],
  ['scp -v -r -p -t -- -x', 'scp', 'upload', ['-x']],
  ['scp -rf /a /b', 'scp', 'download', ['/a', '/b']],
  ["rsync --server -vlogDtpre.iLsfxCIvu --delete . '/srv/a b'", 'rsync', 'upload', ['/srv/a b']],
  ['rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/', 'rsync', 'download', ['/srv/']],
  [
    'rsync --server -logDtpre.iLsfxCIvu --partial-dir .part --link-dest=/old . /srv',
    'rsync',
    'upload',
    ['/srv', '/old'],
  ],
  ['rsync --server --sender -n --files-from=- --from0 . /srv', 'rsync', 'download', ['/srv']],
  ["git-upload-pack 'a/b.git'", 'git', 'download', ['a/b.git']],
  ["git upload-pack --strict --timeout=5 '/a.git'", 'git', 'download', ['/a.git']],
  ["git-receive-pack '~/a.git'", 'git', 'upload', ['~/a.git']],
  ["/usr/bin/git-upload-archive '/a.git'", 'git', 'download', ['/a.git']],
]

t.test("the server's side of scp, rsync and git is recognised, with its direction and paths", (t) => {
  for (const [line, program, direction, paths] of SERVERS) {
    const { transfer, literal } = factsOf(line)
    t.match(transfer, { program, direction, paths }, line)
    t.equal(transfer?.paths.length, paths.length, line)
    t.ok(literal, line)
  }
  t.end()
})

t.test('uploads that make symbolic links are known, and those that make none that lead anywhere', (t) => {
  const makes = (line: string) => factsOf(line).transfer?.links
  for (const options of ['-vlogDtpre.iLsfxCIvu', '-r --links', '-rl --safe-links', '-rl --suffix --munge-links']) {
    t.equal(makes(`rsync --server ${options} . /srv`), true, options)
    t.equal(makes(`rsync --server --sender ${options} . /srv`), false, options)
  }
  for (const options of ['-ogDtpre.iLsfxCIvu', '-rl --munge-links', '-r --suffix -l', '-r']) {
    t.equal(makes(`rsync --server ${options} . /srv`), false, options)
  }
  for (const line of ['scp -t /srv', 'git-receive-pack /srv']) t.equal(makes(line), false, line)
  t.end()
})

t.test('a copy with an option that leaves its paths, or with anything beside it, is no known copy', (t) => {
  const lines = [
    'scp a b:c',
    'scp -t',
    'scp -t a b',
    'scp -t -f a',
    'scp -S sh -t a',
    'scp -o ProxyCommand=x -t a',
    'scp -t $x',
    'scp -f *',
    'scp -t a; ls',
    'scp -t a > f',
    'nice scp -t a',
    './scp -t a',
    '/tmp/scp -t a',
    'rsync --server --daemon . /',
    'rsync --server --log-file=/x -r . /a',
    'rsync --server --rsh=sh -r . /a',
    'rsync --server -e sh . /a',
    'rsync --server -rs . /a',
    'rsync --server -rL . /a',
    'rsync --server -r /a',
    'rsync --server --sender --remove-source-files -r . /a',
    'rsync -r --server . /a',
    'rsync --server -r --sender . /a',
    'rsync --server --files-from=/x -r . /a',
    'rsync --server --temp-dir=../x -r . /a',
    'rsync --server --partial-dir=.. -r . /a',
    'rsync --server --write-devices -r . /a',
    'rsync --server -r . --log-file=/x',
    'rsync --server -r . ""',
    'rsync a b',
    'rsync --server --suffix . --log-file=x . /a',
    'rsync --server -r --config=x . /a',
    'git-upload-pack',
    'git-upload-pack a b',
    'git-upload-pack --exec=x a',
    'git-upload-pack -x',
    'git-upload-pack $x',
    'git -c a=b upload-pack a',
    'git-shell -c x',
    'git-upload-pack a && ls',
    'git-upload-pack ""',
    './git-upload-pack a',
  ]
  for (const line of lines) t.equal(factsOf(line).transfer, null, line)
  t.end()
})

t.test('a server of rsync or sftp that is no known copy hides what it does', (t) => {
  for (const line of ['rsync --server --daemon . /', 'rsync --server -e sh . /a', 'scp a b:c', 'git-shell -c x']) {
    t.not(factsOf(line).commands[0]?.hides, null, line)
  }
  t.end()
})
