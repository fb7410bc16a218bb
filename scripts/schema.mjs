// Writes zones.schema.json from the validator: `npx tsc && node scripts/schema.mjs`.
import { writeFile } from 'node:fs/promises';
import { jsonSchemaText } from '../build/src/config/schema.js';

await writeFile(new URL('../zones.schema.json', import.meta.url), jsonSchemaText());
