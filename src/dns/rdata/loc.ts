// LOC (RFC 1876): a place on earth. `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]`.
import { bigEndian, type Field, joined } from './fields.ts';
import { RdataError, type Word } from './text.ts';

const EQUATOR = 2 ** 31;
const ALTITUDE_BASE_CENTIMETRES = 10_000_000;

export function loc(label: string): Field {
  return {
    label,
    kind: 'plain',
    takes: 'rest',
    compose: composeLoc,
    end: (rdata, at) => (rdata[at] === 0 && isSound(rdata.subarray(at)) ? at + 16 : Number.POSITIVE_INFINITY),
    format: formatLoc,
  };
}

function composeLoc(words: readonly Word[]): Uint8Array {
  const text = words.map((word) => word.text).join(' ');
  const angle = String.raw`(\d{1,3})(?: (\d{1,2})(?: (\d{1,2}(?:\.\d{1,3})?))?)?`;
  const metres = String.raw`(-?\d{1,8}(?:\.\d{1,2})?)m?`;
  const parts = new RegExp(
    `^${angle} ([NS]) ${angle} ([EW]) ${metres}(?: ${metres})?(?: ${metres})?(?: ${metres})?$`,
    'i',
  ).exec(text);
  if (!parts) throw new RdataError('must look like `52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m`');
  const latitude = milliseconds(parts.slice(1, 4), 90) * (parts[4].toUpperCase() === 'N' ? 1 : -1);
  const longitude = milliseconds(parts.slice(5, 8), 180) * (parts[8].toUpperCase() === 'E' ? 1 : -1);
  const altitude = Math.round(Number(parts[9]) * 100) + ALTITUDE_BASE_CENTIMETRES;
  if (altitude < 0 || altitude > 0xffffffff)
    throw new RdataError('must have an altitude from -100000 to 42849672.95 m');
  const precisions = [parts[10] ?? '1', parts[11] ?? '10000', parts[12] ?? '10'].map(precisionByte);
  return joined([
    Uint8Array.of(0, ...precisions),
    bigEndian(EQUATOR + latitude, 4),
    bigEndian(EQUATOR + longitude, 4),
    bigEndian(altitude, 4),
  ]);
}

/** Thousandths of a second of arc. */
function milliseconds([degrees, minutes = '0', seconds = '0']: readonly string[], maxDegrees: number): number {
  const total = Math.round((Number(degrees) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000);
  if (Number(minutes) > 59 || Number(seconds) >= 60 || total > maxDegrees * 3_600_000) {
    throw new RdataError(`must have an angle of at most ${maxDegrees} degrees, 59 minutes, 59.999 seconds`);
  }
  return total;
}

/** Centimetres as mantissa and power of ten, a decimal digit each. */
function precisionByte(metres: string): number {
  const centimetres = Math.round(Number(metres) * 100);
  if (centimetres < 0 || centimetres > 9e9) throw new RdataError('must have sizes from 0 to 90000000.00 m');
  const exponent = centimetres < 10 ? 0 : Math.floor(Math.log10(centimetres));
  return (Math.floor(centimetres / 10 ** exponent) << 4) | exponent;
}

function isSound(bytes: Uint8Array): boolean {
  if (bytes.length !== 16) return false;
  const precisionsFit = [bytes[1], bytes[2], bytes[3]].every((byte) => byte >> 4 <= 9 && (byte & 15) <= 9);
  return (
    precisionsFit &&
    Math.abs(uint32(bytes, 4) - EQUATOR) <= 90 * 3_600_000 &&
    Math.abs(uint32(bytes, 8) - EQUATOR) <= 180 * 3_600_000
  );
}

function formatLoc(bytes: Uint8Array): string {
  const latitude = uint32(bytes, 4) - EQUATOR;
  const longitude = uint32(bytes, 8) - EQUATOR;
  const altitude = (uint32(bytes, 12) - ALTITUDE_BASE_CENTIMETRES) / 100;
  const precisions = [bytes[1], bytes[2], bytes[3]].map((byte) => `${((byte >> 4) * 10 ** (byte & 15)) / 100}m`);
  return `${angle(latitude)} ${latitude < 0 ? 'S' : 'N'} ${angle(longitude)} ${longitude < 0 ? 'W' : 'E'} ${altitude.toFixed(2)}m ${precisions.join(' ')}`;
}

function angle(thousandths: number): string {
  const total = Math.abs(thousandths);
  const degrees = Math.floor(total / 3_600_000);
  const minutes = Math.floor(total / 60_000) % 60;
  return `${degrees} ${minutes} ${((total % 60_000) / 1000).toFixed(3)}`;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
