import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { chartSchemaText, jsonSchema, jsonSchemaText, mappingsOf, withTables } from '../support/reference.ts';

const MEND = 'out of date: run `npm run compile && node scripts/schema.mjs`';

describe('the shipped JSON Schema', () => {
  test('zones.schema.json matches the validator', () => {
    assert.ok(readFileSync('zones.schema.json', 'utf8') === jsonSchemaText(), `zones.schema.json is ${MEND}`);
  });

  test("the chart's values.schema.json has the keys of zones.yaml", () => {
    const present = readFileSync('deploy/helm/healthdns/values.schema.json', 'utf8');
    assert.ok(present === chartSchemaText(), `values.schema.json is ${MEND}`);
  });

  test('zones.schema.json describes every key', () => {
    assert.deepEqual(keysWithoutDescription(jsonSchema(), ''), []);
  });

  test('the example refers editors to zones.schema.json', () => {
    const [firstLine] = readFileSync('zones.example.yaml', 'utf8').split('\n');
    assert.equal(firstLine, '# yaml-language-server: $schema=./zones.schema.json');
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync('docs/configuration.md', 'utf8');

  test('docs/configuration.md lists the keys, types, limits and defaults of the validator', () => {
    assert.ok(withTables(page, jsonSchema()) === page, `docs/configuration.md is ${MEND}`);
  });

  test('docs/configuration.md has a table for every mapping, and only one for equal mappings', () => {
    const missing = mappingsOf(jsonSchema()).filter(({ keys }) => !page.includes(`${keys}<!-- end of keys -->`));
    assert.deepEqual(
      missing.map(({ path }) => path),
      [],
    );
  });
});

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

function keysWithoutDescription(node: SchemaNode, path: string): string[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, child]) => [
    ...(child.description ? [] : [`${path}${key}`]),
    ...keysWithoutDescription(child, `${path}${key}.`),
  ]);
  const below = [...(node.items ? [node.items] : []), ...(node.anyOf ?? [])];
  return [...own, ...below.flatMap((child) => keysWithoutDescription(child, path))];
}
