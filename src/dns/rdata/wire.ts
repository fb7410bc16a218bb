// rdata inside a message: names in them may come compressed, and may be sent so (RFC 3597 section 4).
import { type Cursor, MessageError, readBytes, readName } from '../cursor.ts';
import { MAX_RDATA_BYTES } from '../limits.ts';
import { joined } from './fields.ts';
import { layoutOf } from './layouts.ts';

/** The next `length` bytes as uncompressed rdata. Throws MessageError when the names in them are bad. */
export function readRdata(cursor: Cursor, type: number, length: number): Uint8Array {
  const layout = layoutOf(type);
  if (!layout?.compression) return readBytes(cursor, length);
  const messageEnd = cursor.end;
  const rdataEnd = cursor.at + length;
  const parts: Uint8Array[] = [];
  cursor.end = rdataEnd;
  for (const field of layout.fields) {
    if (field.kind === 'name') parts.push(readName(cursor));
    else parts.push(readBytes(cursor, field.end(cursor.bytes.subarray(0, rdataEnd), cursor.at) - cursor.at));
  }
  if (cursor.at !== rdataEnd)
    throw new MessageError(`${rdataEnd - cursor.at} bytes too many in the rdata at ${cursor.at}`);
  cursor.end = messageEnd;
  const rdata = joined(parts);
  if (rdata.length > MAX_RDATA_BYTES) throw new MessageError('the rdata are too long once their names are expanded');
  return rdata;
}

/** Uncompressed rdata in pieces: names that may be sent compressed, and other bytes. */
export function rdataPieces(type: number, rdata: Uint8Array): { bytes: Uint8Array; isName: boolean }[] {
  const layout = layoutOf(type);
  if (layout?.compression !== 'sent') return [{ bytes: rdata, isName: false }];
  const pieces: { bytes: Uint8Array; isName: boolean }[] = [];
  let at = 0;
  for (const field of layout.fields) {
    const end = field.end(rdata, at);
    pieces.push({ bytes: rdata.subarray(at, end), isName: field.kind === 'name' });
    at = end;
  }
  return pieces;
}
