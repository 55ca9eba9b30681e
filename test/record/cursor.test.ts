import t from 'tap'
import { BLOCK_HEADER, genesis } from '../../src/record/block.ts'
import { BlockCursor } from '../../src/record/cursor.ts'
import { Store } from '../../src/record/store.ts'
import { temporary } from './support.ts'

function write(store: Store, text: string, position: number): void {
  const line = `{"id":"test-1/${position}","type":"gap","seq":${position},"at":1,"text":"${text}"}\n`
  store.write(BLOCK_HEADER + store.slab.write(line, BLOCK_HEADER), position, 1)
}

t.test('what a writer could yet undo is not read, also where it was read ahead, and what it wrote instead is', (t) => {
  const directory = temporary()
  const store = Store.begin({ directory, segmentSize: 1024 ** 2, synced: true }, 'test-1', genesis('test-1'))
  const cursor = new BlockCursor(directory)
  const next = (upTo: number): string[] => {
    const block = cursor.next(upTo)
    return block === null
      ? []
      : [...cursor.lines(block)].map(({ line }) => (JSON.parse(line.toString()) as { text: string }).text)
  }
  write(store, 'first', 1)
  write(store, 'second', 2)
  const synced = store.mark()
  write(store, 'undone', 3)
  t.same(next(0), [])
  t.same(next(2), ['first'], 'the others are read ahead')
  store.rollBack(synced)
  store.repair()
  write(store, 'instead', 4)
  t.same(next(4), ['second'])
  t.same(next(3), [])
  t.same(next(4), ['instead'])
  t.same(next(4), [])
  cursor.close()
  store.close()
  t.end()
})
