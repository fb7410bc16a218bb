// Why instances are not answered, composed in advance for the data threads: the text of each slot that is 0.
import { extraText } from '../../dns/extra-text.ts';
import type { Change } from '../../plane/records.ts';
import type { InstanceState, Verdict } from '../../registry/model.ts';

/** Of one instance: several fit into the text of an answer. */
const MAX_BYTES = 80;
/** Instances with a text; the others are only counted in the text of an answer. */
const MAX_TEXTS = 50_000;
const CHANGES_AT_ONCE = 2_000;
const NOTED_AT_ONCE = 5_000;

export class Reasons {
  private readonly texts = new Map<number, string>();
  private readonly waiting = new Set<number>();
  private isOn = true;
  /** Instances that are still to be noted. */
  private unread: Iterator<InstanceState> | undefined;

  /** Notes the present verdict of an instance. Returns whether there is something to send. */
  note(state: InstanceState, verdict: Verdict): boolean {
    // As nearly always while a cluster is read.
    if (!this.isOn || (verdict.answered && this.texts.size === 0)) return false;
    const text = verdict.answered ? undefined : textOf(state);
    let isDifferent = this.set(state.slot, text);
    const { sharedAddresses } = state.service;
    if (sharedAddresses.size > 0) {
      for (const address of state.addresses) {
        const shared = sharedAddresses.get(address);
        if (shared !== undefined && this.set(shared.slot, text)) isDifferent = true;
      }
    }
    return isDifferent;
  }

  /** Slots that will belong to other instances. */
  forget(slots: readonly number[]): Change[] {
    const known = slots.filter((slot) => this.texts.delete(slot) || this.waiting.has(slot));
    for (const slot of known) this.waiting.delete(slot);
    return known.map((slot) => ({ kind: 'replace-reason', slot, text: '' }));
  }

  /** Pending changes; at most a message or two. */
  take(): Change[] {
    this.readOn();
    const changes: Change[] = [];
    for (const slot of this.waiting) {
      if (changes.length >= CHANGES_AT_ONCE) break;
      this.waiting.delete(slot);
      changes.push({ kind: 'replace-reason', slot, text: this.texts.get(slot) ?? '' });
    }
    return changes;
  }

  isWaiting(): boolean {
    return this.waiting.size > 0 || this.unread !== undefined;
  }

  /** Off: notes nothing, and withdraws the texts sent. On: notes `states`, some with each `take`. */
  setOn(isOn: boolean, states: Iterable<InstanceState>): void {
    this.isOn = isOn;
    this.unread = isOn ? states[Symbol.iterator]() : undefined;
    if (isOn) return;
    for (const slot of this.texts.keys()) this.waiting.add(slot);
    this.texts.clear();
  }

  /** Everything, for a new data thread. */
  *refill(): Generator<Change> {
    for (const [slot, text] of this.texts) yield { kind: 'replace-reason', slot, text };
  }

  private readOn(): void {
    for (let noted = 0; noted < NOTED_AT_ONCE && this.unread !== undefined; noted++) {
      const next = this.unread.next();
      if (next.done) this.unread = undefined;
      else this.note(next.value, next.value.verdict);
    }
  }

  private set(slot: number, text: string | undefined): boolean {
    if (text === undefined) {
      if (!this.texts.delete(slot)) return false;
    } else {
      if (this.texts.get(slot) === text || (this.texts.size >= MAX_TEXTS && !this.texts.has(slot))) return false;
      this.texts.set(slot, text);
    }
    this.waiting.add(slot);
    return true;
  }
}

/** The output of commands is for operators only, not for all clients. */
function textOf({ instance, verdict, service }: InstanceState): string {
  const check = instance.healthCheck ?? service.service?.healthCheck;
  const isOutput = verdict.fact?.source === 'check' && check?.type === 'exec';
  return extraText(`${instance.id} ${isOutput ? 'fails its check' : verdict.reason}`, MAX_BYTES);
}
