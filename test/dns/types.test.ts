// The numbers as IANA's registry "Domain Name System (DNS) Parameters" lists them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EDE, edeText, OPCODE, opcodeName, parseType, RCODE, rcodeName, TYPE, typeName } from '../../src/dns/types.ts';

const TYPES = `A 1 NS 2 MD 3 MF 4 CNAME 5 SOA 6 MB 7 MG 8 MR 9 NULL 10 WKS 11 PTR 12 HINFO 13 MINFO 14 MX 15 TXT 16 RP 17
  AFSDB 18 X25 19 ISDN 20 RT 21 SIG 24 KEY 25 PX 26 AAAA 28 LOC 29 NXT 30 SRV 33 NAPTR 35 KX 36 CERT 37 DNAME 39 OPT 41
  APL 42 DS 43 SSHFP 44 IPSECKEY 45 RRSIG 46 NSEC 47 DNSKEY 48 DHCID 49 NSEC3 50 NSEC3PARAM 51 TLSA 52 SMIMEA 53 HIP 55
  CDS 59 CDNSKEY 60 OPENPGPKEY 61 CSYNC 62 ZONEMD 63 SVCB 64 HTTPS 65 SPF 99 EUI48 108 EUI64 109 TKEY 249 TSIG 250
  IXFR 251 AXFR 252 MAILB 253 MAILA 254 ANY 255 URI 256 CAA 257`;
const RCODES = `NOERROR 0 FORMERR 1 SERVFAIL 2 NXDOMAIN 3 NOTIMP 4 REFUSED 5 YXDOMAIN 6 YXRRSET 7 NXRRSET 8 NOTAUTH 9
  NOTZONE 10 DSOTYPENI 11 BADVERS 16 BADCOOKIE 23`;
const OPCODES = 'QUERY 0 IQUERY 1 STATUS 2 NOTIFY 4 UPDATE 5 DSO 6';
const ERRORS = `Other Error 0, Stale Answer 3, Forged Answer 4, Cached Error 13, Not Ready 14, Blocked 15, Censored 16,
  Filtered 17, Prohibited 18, Stale NXDOMAIN Answer 19, Not Authoritative 20, Not Supported 21, No Reachable Authority 22,
  Network Error 23, Invalid Data 24`;

const pairs = (text: string): [string, number][] =>
  [...text.matchAll(/(\S+) (\d+)/g)].map(([, name, number]) => [name, Number(number)]);

test('types have the numbers of IANA’s registry, and names in both directions', () => {
  assert.deepEqual(Object.entries(TYPE), pairs(TYPES));
  for (const [name, number] of pairs(TYPES)) {
    assert.equal(typeName(number), name);
    assert.deepEqual(
      [parseType(name), parseType(name.toLowerCase()), parseType(`TYPE${number}`)],
      Array(3).fill(number),
    );
  }
  assert.deepEqual([typeName(65_280), parseType('TYPE65280')], ['TYPE65280', 65_280]);
  for (const text of ['TYPE', 'TYPE65536', 'TYPE-1', 'NOTYPE', '', 'constructor'])
    assert.equal(parseType(text), undefined);
});

test('rcodes, opcodes and extended errors have the numbers of IANA’s registry, and others a name with their number', () => {
  assert.deepEqual(Object.entries(RCODE), pairs(RCODES));
  for (const [name, number] of pairs(RCODES)) assert.equal(rcodeName(number), name);
  assert.equal(rcodeName(12), 'RCODE12');
  assert.deepEqual(Object.entries(OPCODE), pairs(OPCODES));
  for (const [name, number] of pairs(OPCODES)) assert.equal(opcodeName(number), name);
  assert.equal(opcodeName(3), 'OPCODE3');
  const errors = ERRORS.split(/,\s+/).map((line) => line.match(/^(.*) (\d+)$/)!);
  assert.deepEqual(
    Object.values(EDE),
    errors.map(([, , number]) => Number(number)),
  );
  for (const [, text, number] of errors) assert.equal(edeText(Number(number)), text);
  assert.equal(edeText(99), 'EDE99');
});
