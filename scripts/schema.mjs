// Writes the generated reference, after `npm run compile`: zones.schema.json, the chart's values.schema.json and the tables of docs/configuration.md from
// the validator, those of docs/metrics.md from the table of metrics, those of
// docs/migrating-from-coredns.md from the plugins that `healthdns migrate` knows.
import { readFile, writeFile } from 'node:fs/promises';
import { alertsText } from '../build/test/support/monitoring/alerts.js';
import { dashboardText } from '../build/test/support/monitoring/dashboard.js';
import { withPluginTables } from '../build/test/support/plugin-tables.js';
import {
  chartSchemaText,
  jsonSchema,
  jsonSchemaText,
  withMetricTables,
  withTables,
} from '../build/test/support/reference.js';

await writeFile(new URL('../zones.schema.json', import.meta.url), jsonSchemaText());
await writeFile(new URL('../deploy/helm/healthdns/values.schema.json', import.meta.url), chartSchemaText());
await writeFile(new URL('../deploy/helm/healthdns/monitoring/alerts.yaml', import.meta.url), alertsText());
await writeFile(new URL('../deploy/helm/healthdns/monitoring/dashboard.json', import.meta.url), dashboardText());
await rewrite('configuration.md', (page) => withTables(page, jsonSchema()));
await rewrite('metrics.md', withMetricTables);
await rewrite('migrating-from-coredns.md', withPluginTables);

async function rewrite(name, change) {
  const page = new URL(`../docs/${name}`, import.meta.url);
  await writeFile(page, change(await readFile(page, 'utf8')));
}
