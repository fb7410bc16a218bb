// Statistics of an input besides its questions.

export interface Notes {
  /** "pcap" */
  format: string;
  /** Packets, frames or lines. */
  read: number;
  /** How many of them held no question, by the reason. */
  readonly skipped: Map<string, Skipped>;
  /** Where and why reading ended before the end of the input. */
  damage?: string;
}

export interface Skipped {
  count: number;
  /** "packet 17 at byte 1024" */
  readonly firstAt: string;
}

export const createNotes = (): Notes => ({ format: '', read: 0, skipped: new Map() });

export function skip({ skipped }: Notes, reason: string, at: string): void {
  const known = skipped.get(reason);
  if (known === undefined) skipped.set(reason, { count: 1, firstAt: at });
  else known.count++;
}
