// Zone files (RFC 1035 section 5): what is read, and each mistake with its place.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: $GENERATE has such placeholders
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '../../src/config/loading/load.ts';
import { parseName } from '../../src/dns/name.ts';
import { recordTexts } from '../support/zone-setup.ts';

async function folderWith(t: TestContext, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zone-file-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const CONFIG = 'zones: [{ name: example.org, file: db.example, ttlSeconds: 7 }]';

/** The records in order, or the problems; then the warnings. */
async function read(t: TestContext, db: string | Buffer, more: Readonly<Record<string, string>> = {}, config = CONFIG) {
  const folder = await folderWith(t, { 'db.example': db, ...more });
  const result = await parseConfig(config, join(folder, 'zones.yaml'));
  const say = ({ file, line, column, message }: { file: string; line: number; column: number; message: string }) =>
    `${file.slice(folder.length + 1)}:${line}:${column} ${message.replaceAll(`${folder}/`, '')}`;
  const found = result.ok ? recordTexts(result.config.zones[0].records).sort() : result.problems.map(say);
  return [...found, ...result.warnings.map((warning) => `warning: ${say(warning)}`)];
}

function reads(what: string, db: string, expected: string[], more: Readonly<Record<string, string>> = {}): void {
  test(what, async (t) => assert.deepEqual(await read(t, db, more), [...expected]));
}

reads(
  'a name server of the zone without an address is a warning',
  '@ SOA ns1 h 1 2 3 4 5\n NS ns1\n NS ns2\n NS ns.other.test.\nns1 A 192.0.2.1\n',
  [
    'example.org. 5 NS ns.other.test.',
    'example.org. 5 NS ns1.example.org.',
    'example.org. 5 NS ns2.example.org.',
    'example.org. 5 SOA ns1.example.org. h.example.org. 1 2 3 4 5',
    'ns1.example.org. 5 A 192.0.2.1',
    'warning: db.example:3:1 the name server ns2.example.org. has no A or AAAA record: that server is unreachable; add its address as a record',
  ],
);

reads(
  'a zone file as BIND reads it',
  `; the zone
$TTL 1h30m
@   IN SOA ns hostmaster.example.org. (
        2026112801 ; serial
        4h         ; refresh
        30m 1w 5 )
    NS  ns
ns  300 IN A 192.0.2.1
    IN 301 AAAA 2001:db8::1 ; the same owner
www.example.org. a 192.0.2.2
WWW     A 192.0.2.3
txt TXT "one; two" three "with \\"quotes\\"" "(four"
h   HTTPS 1 . alpn="h2,h3"
t   TYPE65280 \\# 2 (
      00
      ff )
mx  MX 10 mail
*.w A 192.0.2.4
`,
  [
    '*.w.example.org. 5400 A 192.0.2.4',
    'example.org. 5400 NS ns.example.org.',
    'example.org. 5400 SOA ns.example.org. hostmaster.example.org. 2026112801 14400 1800 604800 5',
    'h.example.org. 5400 HTTPS 1 . alpn="h2,h3"',
    'mx.example.org. 5400 MX 10 mail.example.org.',
    'ns.example.org. 300 A 192.0.2.1',
    'ns.example.org. 301 AAAA 2001:db8::1',
    't.example.org. 5400 TYPE65280 \\# 2 00FF',
    'txt.example.org. 5400 TXT "one; two" "three" "with \\"quotes\\"" "(four"',
    'www.example.org. 5400 A 192.0.2.2',
    'www.example.org. 5400 A 192.0.2.3',
  ],
);

reads(
  '$ORIGIN applies until the next, and $INCLUDE has an origin of its own',
  '$ORIGIN a\nx A 192.0.2.1\n$INCLUDE more b.example.org.\ny A 192.0.2.3\n$ORIGIN c.example.org.\n@ A 192.0.2.4\n',
  [
    'c.example.org. 7 A 192.0.2.4',
    'x.a.example.org. 7 A 192.0.2.1',
    'x.b.example.org. 7 A 192.0.2.2',
    'y.a.example.org. 7 A 192.0.2.3',
  ],
  { more: 'x A 192.0.2.2\n$ORIGIN d.example.org.\n' },
);

reads(
  'a record without TTL has that of the record before it, or of the SOA',
  'a A 192.0.2.1\nb 60 A 192.0.2.2\nc A 192.0.2.3\n@ SOA ns h 1 2 3 4 11\nd A 192.0.2.4\n',
  [
    'a.example.org. 7 A 192.0.2.1',
    'b.example.org. 60 A 192.0.2.2',
    'c.example.org. 60 A 192.0.2.3',
    'd.example.org. 11 A 192.0.2.4',
    'example.org. 11 SOA ns.example.org. h.example.org. 1 2 3 4 11',
  ],
);

reads(
  '$GENERATE counts, pads, and writes nibbles in reverse',
  '$GENERATE 9-11 h-$ A 192.0.2.$\n$GENERATE 0-4/4 ${8,3} 60 IN CNAME x-${0,2,x}\n$GENERATE 26-26 ${0,5,n}.r PTR a$$.\n' +
    '$GENERATE 1-1 m MX "10 mail$"\n',
  [
    '008.example.org. 60 CNAME x-00.example.org.',
    '012.example.org. 60 CNAME x-04.example.org.',
    'a.1.0.r.example.org. 60 PTR a\\$.',
    'h-10.example.org. 7 A 192.0.2.10',
    'h-11.example.org. 7 A 192.0.2.11',
    'h-9.example.org. 7 A 192.0.2.9',
    'm.example.org. 60 MX 10 mail1.example.org.',
  ],
);

reads(
  'a problem is reported at its line and column, and reading goes on',
  'a A 192.0.2\nb AA 192.0.2.1\nc (\nd A 1\n',
  [
    'db.example:1:5 A value must be `IPv4 address`, got "192.0.2": IPv4 address must be like 192.0.2.1',
    'db.example:2:3 "AA" is not a TTL, a class or a record type',
    'db.example:3:1 the entry that begins here has a `(` that is not closed',
  ],
);
reads(
  'mistakes of entries',
  ' A 192.0.2.1\na CH A 192.0.2.1\nb 1x A 192.0.2.1\nc\nd A )\ne TXT "x\nf.. A 192.0.2.1\n',
  [
    'db.example:1:2 the first record has no owner name: begin the line with it',
    'db.example:2:3 class CH: only IN is served',
    'db.example:3:3 "1x" is not a TTL: expected seconds up to 2147483647, or units such as 1h30m',
    'db.example:4:1 the entry ends before its record type',
    'db.example:5:5 `)` without `(` before it',
    'db.example:6:7 the quote is not closed on this line',
    'db.example:7:1 name "f.." has an empty label',
  ],
);
reads('mistakes of directives', '$ORIGIN\n$TTL x\n$FOO a\n$GENERATE 2-1 a A 1\n$GENERATE 1-2 a-${1,q} A 192.0.2.1\n', [
  'db.example:1:1 expected `$ORIGIN name`',
  'db.example:2:6 "x" is not a TTL: expected seconds up to 2147483647, or units such as 1h30m',
  'db.example:3:1 unknown directive $FOO: known are $ORIGIN, $TTL, $INCLUDE and $GENERATE',
  'db.example:4:11 the range 2-1 ends before it begins',
  'db.example:5:15 expected ${offset,width,base} with a base of d, o, x, X, n or N, got ${1,q}',
]);
reads(
  'files that include themselves, or that are missing, are reported where they are included',
  '$INCLUDE more\n$INCLUDE none\n',
  ['db.example:2:10 there is no file none', 'more:1:10 more includes itself'],
  { more: '$INCLUDE more\n' },
);
reads(
  'records that contradict each other are reported',
  'a CNAME b\na A 192.0.2.1\n@ SOA a b 1 2 3 4 5\n@ SOA a b 2 2 3 4 5\n@ CNAME x\n',
  [
    'db.example:2:1 a.example.org. has a CNAME beside other records: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)',
    'db.example:4:1 example.org. has more than one SOA (RFC 1035 section 5.2)',
    "db.example:5:1 a CNAME cannot stand at the zone's own name, where SOA and NS are (RFC 1034 section 3.6.2)",
  ],
);
reads(
  'records outside of the zone and those of a signer are left out with a warning',
  'a.example.net. A 192.0.2.1\nb A 192.0.2.2\nb A 192.0.2.2\nb NSEC c A\nc NSEC d A\n',
  [
    'b.example.org. 7 A 192.0.2.2',
    'warning: db.example:1:1 a.example.net. is not in the zone: it is left out',
    'warning: db.example:3:1 duplicate value 192.0.2.2: it is answered only once',
    'warning: db.example:4:1 NSEC records are left out: answers are not signed',
  ],
);

test('a missing file is a problem of the key', async (t) => {
  const folder = await folderWith(t, {});
  const result = await parseConfig(CONFIG, join(folder, 'zones.yaml'));
  assert.ok(!result.ok);
  assert.deepEqual(
    result.problems.map(({ line, column, message }) => [line, column, message]),
    [[1, 36, `there is no file ${folder}/db.example`]],
  );
  assert.deepEqual(result.zoneFiles, [join(folder, 'db.example')]);
});

test('the records of a file and of zones.yaml are checked together', async (t) => {
  const config = 'zones: [{ name: example.org, file: db.example, records: [{ name: a, type: A, value: 192.0.2.1 }] }]';
  assert.deepEqual(await read(t, 'a CNAME b\n', {}, config), [
    'db.example:1:1 a.example.org. has a CNAME beside other records: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)',
  ]);
});

test('SOA and NS records of a zone file replace those of zones.yaml', async (t) => {
  const config = 'zones: [{ name: example.org, file: db.example, nameServers: [x], soa: { rname: y } }]';
  assert.deepEqual((await read(t, '@ NS ns.other.\n@ SOA a. b. 1 2 3 4 5\n', {}, config)).slice(2), [
    'warning: zones.yaml:1:61 `nameServers` is not used: db.example has NS records of the zone',
    'warning: zones.yaml:1:71 `soa` is not used: db.example has the SOA record of the zone',
  ]);
});

test('a zone file with a large RRset and many names is read completely', async (t) => {
  const folder = await folderWith(t, {
    'db.example': '$GENERATE 0-65535 many A 10.0.0.1\n$GENERATE 0-19999 n-$ A 10.0.0.1\n',
  });
  const result = await parseConfig(CONFIG, join(folder, 'zones.yaml'));
  assert.ok(result.ok);
  const { records } = result.config.zones[0];
  assert.equal(records.count, 20_001);
  for (const i of [0, 777, 19_999]) assert.ok(records.find(parseName(`n-${i}.example.org.`)));
  assert.equal(records.find(parseName('n-20000.example.org.')), undefined);
});

test('any bytes as a zone file yield records or problems', async (t) => {
  const words = fc.constantFrom(
    'a',
    '@',
    ' ',
    '\n',
    '\t',
    '(',
    ')',
    '"',
    '\\',
    ';',
    'A',
    'TXT',
    'SOA',
    '1',
    '$TTL',
    '$GENERATE',
    '1-3',
    '$',
    'IN',
    '192.0.2.1',
    '\\#',
    '*',
    '.',
    'é',
    '\0',
  );
  const text = fc.array(words, { maxLength: 60 }).map((parts) => Buffer.from(parts.join('')));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        text,
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      ),
      async (db) => {
        assert.ok(Array.isArray(await read(t, db)));
      },
    ),
    { numRuns: 150 },
  );
});
