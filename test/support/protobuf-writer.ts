// Writes Protocol Buffers as https://protobuf.dev/programming-guides/encoding/ says, to be read by what is tested: it shares
// nothing with src/reading/protobuf.ts.

export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

const tag = (number: number, wireType: number): Buffer => varint(BigInt(number) * 8n + BigInt(wireType));

export const number = (field: number, value: number | bigint): Buffer =>
  Buffer.concat([tag(field, 0), varint(BigInt(value))]);

export const fixed32 = (field: number): Buffer => Buffer.concat([tag(field, 5), Buffer.alloc(4, 0xff)]);
export const fixed64 = (field: number): Buffer => Buffer.concat([tag(field, 1), Buffer.alloc(8, 0xff)]);

export function bytes(field: number, ...value: readonly (Buffer | string)[]): Buffer {
  const all = Buffer.concat(value.map((part) => Buffer.from(part)));
  return Buffer.concat([tag(field, 2), varint(BigInt(all.length)), all]);
}

/** An entry of a map of strings. */
export const entry = (field: number, key: string, value: string): Buffer =>
  bytes(field, bytes(1, key), bytes(2, value));

/** An object in Kubernetes' envelope. */
export const envelope = (kind: string, object: Buffer): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), bytes(1, bytes(1, 'v1'), bytes(2, kind)), bytes(2, object), bytes(3), bytes(4)]);

export const watchEvent = (type: string, enveloped: Buffer): Buffer =>
  Buffer.concat([bytes(1, type), bytes(2, bytes(1, enveloped))]);

/** A message of a watch after its length. */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}
