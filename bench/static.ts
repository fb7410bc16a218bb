// `npm run bench:static`: a zone file of many A records: static-zone.ts.
//   node build/bench/static.js [--records 50000,150000] [--rounds N] [--former DIR] [--write]
import { parseArgs } from 'node:util';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';
import { measureStaticZone, STATIC_HEAD } from './static-zone.ts';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '50000,150000,1000000' },
    rounds: { type: 'string', default: '3' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const { former } = options;
const rounds = Number(options.rounds);

const rows: string[][] = [];
for (const records of options.records.split(',').map(Number))
  rows.push(...(await measureStaticZone({ records, rounds, former })));
const report = `${machine()}. \`npm run bench:static\`, medians of ${rounds} rounds; the ratios are those of time, processor time, memory and peak.\n\n${table(STATIC_HEAD, rows)}`;
console.log(report);
if (options.write) replaceSection('static', report);
