// `npm run bench:large`: one headless Service of 10,000 endpoints: large-service.ts.
//   node build/bench/large.js [--endpoints N] [--rounds N] [--former DIR] [--write]
import { parseArgs } from 'node:util';
import { measureLargeService } from './large-service.ts';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';

const { values: options } = parseArgs({
  options: {
    endpoints: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '60' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const { endpoints, rounds, former } = options;

const { head, rows } = await measureLargeService({ endpoints: Number(endpoints), rounds: Number(rounds), former });
const report = `${machine()}. \`npm run bench:large\`: a headless Service of ${Number(endpoints).toLocaleString('en')} endpoints in slices of 100; ${rounds} rounds, from sending the slice to the first answer for the name of its new endpoint; medians, and the 99th percentile in brackets.\n\n${table(head, rows)}`;
console.log(`\n${report}`);
if (options.write) replaceSection('large-service', report);
