// The JSON Schema of zones.yaml, for editors. For the build and tests only: the package it uses is not shipped.
import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from './file.ts';

/** Draft-07, which the YAML language server reads. Checks that JSON Schema cannot say are left to `healthdns check`. */
export function jsonSchema(): object {
  const schema = toJsonSchema(fileSchema, {
    typeMode: 'input',
    ignoreActions: ['check'],
  });
  return { $schema: schema.$schema, title: 'healthdns zones.yaml', ...schema };
}

/** The text of zones.schema.json. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), undefined, 2)}\n`;
}
