// The generated reference: zones.schema.json, and the tables of docs/configuration.md and docs/metrics.md. Tests check that they
// are current; scripts/schema.mjs writes them.
import { readFileSync } from 'node:fs';
import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from '../../src/config/loading/file.ts';
import { nodeFileSchema } from '../../src/config/loading/load-node.ts';
import { METRICS } from '../../src/metric-table.ts';
import { ALERTS } from './monitoring/alerts.ts';

/** Draft-07, which the YAML language server reads. Checks that JSON Schema cannot express are left to `healthdns check`. */
export function jsonSchema(): object {
  return schemaOf(fileSchema, 'healthdns zones.yaml');
}

/** Of the file of `healthdns node`. */
export function nodeJsonSchema(): SchemaNode {
  return schemaOf(nodeFileSchema, 'healthdns node.yaml') as SchemaNode;
}

function schemaOf(file: typeof fileSchema | typeof nodeFileSchema, title: string): object {
  const { $schema, $defs = {}, ...schema } = toJsonSchema(file, { typeMode: 'input', ignoreActions: ['check'] });
  return { $schema, title, ...(inlined(schema, $defs) as object) };
}

/** With definitions in place of references: each of them is used once, by the schema that chose it by its input. */
function inlined(node: unknown, definitions: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(node)) return node.map((item) => inlined(item, definitions));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref, ...rest } = node as { readonly $ref?: string };
  const own = Object.entries(rest).map(([key, value]) => [key, inlined(value, definitions)] as const);
  const target = $ref === undefined ? {} : inlined(definitions[$ref.replace('#/$defs/', '')], definitions);
  return { ...(target as object), ...Object.fromEntries(own) };
}

/** The text of zones.schema.json. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), undefined, 2)}\n`;
}

/** Keys of zones.yaml that the chart writes itself. */
const SET_BY_CHART = ['$schema', 'listen', 'http', 'forward', 'zones'];

/**
 * The text of the chart's values.schema.json: scripts/chart-values.schema.json, with what goes into zones.yaml and
 * node.yaml checked as these are, so that a mistake there fails at `helm install`.
 */
export function chartSchemaText(): string {
  const chart = JSON.parse(readFileSync('scripts/chart-values.schema.json', 'utf8'));
  const { properties = {} } = jsonSchema() as SchemaNode;
  const zone = (properties.zones!.items as SchemaNode).properties ?? {};
  const { properties: ofNode = {} } = nodeJsonSchema();
  const config = Object.entries({ hold: ofNode.hold, ...properties }).filter(([key]) => !SET_BY_CHART.includes(key));
  chart.properties.kubernetes = zone.kubernetes;
  chart.properties.zones = properties.zones;
  chart.properties.prometheusRule.properties.disabled.items = { enum: ALERTS.map(({ name }) => name) };
  chart.properties.config = {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(config),
  };
  return `${JSON.stringify(chart, undefined, 1)}\n`;
}

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

const KEY_TABLE = /<!-- keys of (.*) -->\n[\s\S]*?<!-- end of keys -->/g;

/** A page with each table between `<!-- keys of PATH -->` and `<!-- end of keys -->` written anew. */
export function withTables(page: string, schema: object): string {
  return page.replace(
    KEY_TABLE,
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

const METRIC_TABLE = /<!-- metrics of (.*) -->\n[\s\S]*?<!-- end of metrics -->/g;

/** docs/metrics.md with each table between `<!-- metrics of ROOM, ROOM -->` and `<!-- end of metrics -->` written anew. */
export function withMetricTables(page: string): string {
  return page.replace(METRIC_TABLE, (_, rooms: string) => {
    const rows = Object.entries(METRICS)
      .filter(([, { room }]) => rooms.split(', ').includes(room))
      .map(
        ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.map(quoted).join(', ')} | ${help} |`,
      );
    const table = ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
    return `<!-- metrics of ${rooms} -->\n${table}\n<!-- end of metrics -->`;
  });
}

const quoted = (label: string) => `\`${label}\``;
