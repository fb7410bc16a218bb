// The tables of docs/configuration.md, from the JSON Schema: so that page, editor and validator cannot differ.
// For the build and tests only.

interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode | readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
}

const TABLE = /<!-- keys of (.*) -->\n[\s\S]*?<!-- end of keys -->/g;

/** A page with each table between `<!-- keys of PATH -->` and `<!-- end of keys -->` written anew. */
export function withTables(page: string, schema: object): string {
  return page.replace(
    TABLE,
    (_, path: string) => `<!-- keys of ${path} -->\n${table(find(schema, path))}<!-- end of keys -->`,
  );
}

/** Every mapping of the file by the name that `withTables` gives it, "the file" or "zones[].soa", with its keys as text. */
export function mappingsOf(schema: object, path = ''): { readonly path: string; readonly keys: string }[] {
  const node = containerOf(schema);
  if (!node?.properties) return [];
  const below = Object.entries(node.properties).flatMap(([key, child]) =>
    mappingsOf(child, `${path === '' ? '' : `${path}.`}${key}${isList(child) ? '[]' : ''}`),
  );
  return [{ path: path || 'the file', keys: table(node) }, ...below];
}

function table(node: SchemaNode): string {
  const rows = Object.entries(node.properties ?? {}).map(([key, child]) => {
    const fallback = node.required?.includes(key) ? '**required**' : defaultOf(child);
    return `| \`${key}\` | ${typeOf(child)} | ${fallback} | ${(child.description ?? '').replaceAll('|', '\\|')} |`;
  });
  return ['| Key | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function defaultOf({ default: value }: SchemaNode): string {
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function typeOf(node: SchemaNode): string {
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum) return node.enum.map((word) => `\`${word}\``).join(', ');
  if (node.type === 'array')
    return Array.isArray(node.items)
      ? `[${node.items.map(typeOf).join(', ')}]`
      : `list of ${plural(typeOf(node.items as SchemaNode))}`;
  if (node.type === 'integer') return `whole number, ${node.minimum} to ${node.maximum}`;
  if (node.type === 'number') return `number, ${node.minimum} to ${node.maximum}`;
  return { boolean: '`true` or `false`', object: 'mapping', string: 'text' }[node.type ?? ''] ?? String(node.type);
}

function plural(type: string): string {
  return type
    .replace(/\bmapping\b/, 'mappings')
    .replace(/\btext\b/, 'texts')
    .replace(/^whole number/, 'whole numbers');
}

function find(schema: SchemaNode, path: string): SchemaNode {
  let node = containerOf(schema);
  for (const key of path === 'the file' ? [] : path.split('.')) {
    const child = node?.properties?.[key.replace('[]', '')];
    node = child && containerOf(child);
  }
  if (!node) throw new Error(`no mapping ${path} in zones.yaml`);
  return node;
}

/** The mapping that a node is, or that its list's items are, or one of its alternatives. */
function containerOf(node: SchemaNode): SchemaNode | undefined {
  if (node.properties) return node;
  if (node.type === 'array' && !Array.isArray(node.items)) return containerOf(node.items as SchemaNode);
  return node.anyOf?.map(containerOf).find((found) => found !== undefined);
}

function isList(node: SchemaNode): boolean {
  return node.type === 'array';
}
