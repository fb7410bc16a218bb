import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ASKED_AUTHENTIC,
  ASKED_CHECKING_DISABLED,
  ASKED_DNSSEC,
  ASKED_EDNS,
  ASKED_RECURSION,
  askedBits,
} from '../../src/forward/upstream/question.ts';
import { type Asking, composeQuestion } from '../support/forwarding.ts';

test('the RD, CD, AD and DO bits of a query are read independently', () => {
  const asked = (asking: Asking, rcode = 0) => {
    const { bytes, questionEnd } = composeQuestion('www.example. A', asking);
    bytes[3] |= rcode;
    return askedBits(bytes, bytes.length, questionEnd);
  };
  const bare = { edns: false, flags: 0 };
  assert.equal(asked(bare), 0);
  assert.equal(asked(bare, 15), 0);
  assert.equal(asked({ ...bare, flags: 0x0100 }), ASKED_RECURSION);
  assert.equal(asked({ ...bare, flags: 0x0010 }), ASKED_CHECKING_DISABLED);
  assert.equal(asked({ ...bare, flags: 0x0020 }), ASKED_AUTHENTIC);
  assert.equal(asked({ ...bare, flags: 0x04c0 }), 0);
  assert.equal(asked({ flags: 0 }), ASKED_EDNS);
  assert.equal(asked({ flags: 0, dnssecOk: true }), ASKED_EDNS | ASKED_DNSSEC);
});
