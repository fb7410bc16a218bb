// Ids and ARNs as AWS forms them.
import type { Random } from '../clock.ts';
import type { Api } from './api.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function letters(random: Random, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return text;
}

export const newNamespaceId = (random: Random): string => `ns-${letters(random, 17)}`;
export const newServiceId = (random: Random): string => `srv-${letters(random, 17)}`;
/** Letters as AWS has them, then the time: no two alike. */
export const newOperationId = (random: Random, nowMs: number): string =>
  `${letters(random, 24)}-${nowMs.toString(36).padStart(9, '0')}`;

export const namespaceArn = (api: Api, id: string): string =>
  `arn:aws:servicediscovery:${api.region}:${api.account}:namespace/${id}`;
export const serviceArn = (api: Api, id: string): string =>
  `arn:aws:servicediscovery:${api.region}:${api.account}:service/${id}`;

/** The id in an ARN, or what was given when it is none. */
export const idOf = (idOrArn: string): string =>
  idOrArn.startsWith('arn:') ? idOrArn.slice(idOrArn.lastIndexOf('/') + 1) : idOrArn;
