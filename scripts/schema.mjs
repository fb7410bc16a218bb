// Writes zones.schema.json and the tables of docs/configuration.md from the validator, after `npm run compile`.
import { readFile, writeFile } from 'node:fs/promises';
import { withTables } from '../build/src/config/reference.js';
import { jsonSchema, jsonSchemaText } from '../build/src/config/schema.js';

const page = new URL('../docs/configuration.md', import.meta.url);
await writeFile(new URL('../zones.schema.json', import.meta.url), jsonSchemaText());
await writeFile(page, withTables(await readFile(page, 'utf8'), jsonSchema()));
