// The JSON Schema of zones.yaml, for editors. For the build and tests only: the package it uses is not shipped.
import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from './file.ts';

/** Draft-07, which the YAML language server reads. Checks that JSON Schema cannot express are left to `healthdns check`. */
export function jsonSchema(): object {
  const { $schema, $defs = {}, ...schema } = toJsonSchema(fileSchema, { typeMode: 'input', ignoreActions: ['check'] });
  return { $schema, title: 'healthdns zones.yaml', ...(inlined(schema, $defs) as object) };
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
