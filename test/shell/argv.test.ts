import t from 'tap'
import { runsOthers } from '../../src/shell/argv.ts'

t.test('an argv that runs just itself, or what it shows, runs no others', async (t) => {
  for (const argv of [
    ['ls', '-l'],
    ['cat', "it's a file"],
    ['echo', '$(rm -rf /)', '`id`', '*', '; rm'],
    ['sh', '-c', 'ls -l'],
    ['printf', 'a\tb'],
  ]) {
    t.equal(runsOthers(argv, { terminal: false }), false, argv.join(' '))
  }
})

t.test('an argv that reads or hides what it runs could run anything', async (t) => {
  for (const argv of [
    [],
    [''],
    ['sh'],
    ['bash', '-i'],
    ['/bin/sh', '-c', 'rm $X'],
    ['sh', '-c', 'curl x | sh'],
    ['python3', '-c', 'import os'],
    ['env', 'sh'],
    ['find', '.', '-exec', 'sh', ';'],
    ['vi'],
    ['xargs', 'rm'],
    ['a\0b'],
  ]) {
    t.equal(runsOthers(argv, { terminal: false }), true, argv.join(' '))
  }
})

t.test('on a terminal, a program that pages what it shows could run anything', async (t) => {
  for (const argv of [
    ['git', 'log'],
    ['systemctl', 'status'],
    ['dpkg', '-l'],
  ]) {
    t.equal(runsOthers(argv, { terminal: false }), false, argv.join(' '))
    t.equal(runsOthers(argv, { terminal: true }), true, argv.join(' '))
  }
  t.equal(runsOthers(['ls', '-l'], { terminal: true }), false)
})
