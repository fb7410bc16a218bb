import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatName, parseName } from '../../src/dns/name.ts';
import { NameTree, NO_NODE, type Node, ROOT_NODE } from '../../src/zone/publish/tree.ts';

const names = fc.array(
  fc.array(fc.constantFrom('a', 'b', 'c', 'abc', 'svc', '10-1-2-3', 'x'.repeat(63)), { minLength: 1, maxLength: 3 }),
  { maxLength: 150 },
);

test('a tree contains the inserted names and those above them, until their leaves are removed', () => {
  fc.assert(
    fc.property(
      names,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(),
      (labels, seed, drop) => {
        const tree = new NameTree(() => seed);
        const held = new Map<string, Node>();
        const hold = (node: Node) => held.set(formatName(tree.nameOf(node)), node);
        labels.forEach((each, i) => {
          tree.ensure(parseName(each.join('.')), hold);
          if ((i * 7 + drop) % 3 === 0) removeOneLeaf();
        });
        for (const [name, node] of held) assert.equal(tree.find(parseName(name)), node, name);
        assert.equal([...tree.nodes()].length, held.size + 1);
        assert.equal(tree.size(), held.size + 1);
        while (held.size > 0) removeOneLeaf();
        assert.equal(tree.childCount(ROOT_NODE), 0);

        function removeOneLeaf(): void {
          const leaves = [...held].filter(([, node]) => tree.childCount(node) === 0);
          const [name, node] = leaves[drop % leaves.length];
          tree.remove(node);
          held.delete(name);
          assert.equal(tree.find(parseName(name)), NO_NODE);
          assert.ok(!tree.isAlive(node));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a name in the tree costs about 60 bytes', () => {
  const tree = new NameTree(() => 0.5);
  for (let i = 0; i < 20_000; i++) {
    tree.ensure(parseName(`10-1-${i >> 8}-${i & 255}.web-${i % 1000}.prod.svc.cluster.local.`), () => {});
  }
  assert.ok(tree.bytes() / tree.size() < 64, String(tree.bytes() / tree.size()));
});

test('names made before and after room was reserved are found, and siblings of a removed name are made below the right parent', () => {
  const tree = new NameTree(() => 0.5);
  const name = (i: number) => parseName(`host-${i}.zone-${i % 3}.test.`);
  const nodes = new Map<number, Node>();
  for (let i = 0; i < 100; i++)
    nodes.set(
      i,
      tree.ensure(name(i), () => {}),
    );
  tree.reserve(1000, 1000);
  for (let i = 100; i < 2000; i++)
    nodes.set(
      i,
      tree.ensure(name(i), () => {}),
    );
  for (const [i, node] of nodes) assert.equal(tree.find(name(i)), node);
  assert.equal(tree.size(), 2000 + 3 + 2);

  // `zone-x.test.` goes with its only name, and its number is used again for another name.
  const gone = tree.ensure(parseName('a.zone-x.test.'), () => {});
  tree.remove(tree.remove(gone));
  tree.ensure(parseName('zone-y.test.'), () => {});
  const made = tree.ensure(parseName('b.zone-x.test.'), () => {});
  assert.equal(formatName(tree.nameOf(made)), 'b.zone-x.test.');
  assert.equal(tree.find(parseName('b.zone-y.test.')), NO_NODE);
});
