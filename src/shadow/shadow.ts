// Asks CoreDNS and healthdns the questions of a stream and counts how the answers differ. Repeated questions are sent once and
// counted; differences without a documented reason are asked again after a while, with the cluster's objects read anew, because
// the cluster may have changed between two answers.
import type { Clock } from '../clock.ts';
import { askAll, SilentServer } from './answers/ask.ts';
import { composeQuery, type Question } from './answers/question.ts';
import { batches } from './batches.ts';
import type { PodMode, World } from './cluster/world.ts';
import { type Comparison, compareAnswers, type Difference } from './compare.ts';
import { REASONS_AS_INSTALLED } from './reasons/explain.ts';
import { addVerdict, createTally, type Tally, type Verdict } from './tally.ts';

export interface ShadowSettings extends Pick<Comparison, 'coreDns' | 'healthdns'> {
  /** "cluster.local." */
  readonly zone: string;
  readonly pods: PodMode;
  /** Questions a second to each server. */
  readonly perSecond: number;
  /** After this time a difference without a reason is asked again. */
  readonly againMs: number;
  /**
   * How many servers report live what they are asked: the comparison's own queries come back from each, and are not questions.
   */
  readonly echoes?: number;
  /** Of each reason, and of the differences without one. */
  readonly examples: number;
}

export interface ShadowDeps {
  readonly clock: Clock;
  /** The current state of the cluster. */
  readWorld(): Promise<World>;
  /** Ends the stream of questions. */
  readonly stop: AbortSignal;
}

export interface ShadowResult {
  readonly tally: Tally;
  /** Why not all questions were asked. */
  readonly failure?: string;
}

const BATCH = { size: 20_000, waitMs: 250 };
const MAX_KNOWN = 100_000;
/** After this time a question is asked anew. */
const KNOWN_MS = 60_000;
const MAX_SUSPECTS = 1_000;
/** Within this time an own query comes back. */
const ECHO_MS = 10_000;

/** A question, and what is known of its answers. */
interface Entry {
  readonly question: Question;
  readonly askedMs: number;
  /** How often it was asked without having been counted. */
  uncounted: number;
  verdict: Verdict | undefined;
  /** Own queries that have not come back yet, and until when they may. */
  echoes: number;
  echoUntilMs: number;
}

/** Rejects if the cluster cannot be read, or with what the stream of questions rejects with. */
export async function shadow(
  questions: AsyncIterable<Question>,
  settings: ShadowSettings,
  deps: ShadowDeps,
): Promise<ShadowResult> {
  const run = createRun(settings, deps, await deps.readWorld());
  try {
    await run.probe();
    for await (const batch of batches(questions, BATCH, deps.clock, deps.stop)) await run.take(batch);
    await run.askSuspectsAgain();
  } catch (error) {
    if (!(error instanceof SilentServer)) throw error;
    run.giveUpSuspects();
    return { tally: run.tally, failure: error.message };
  }
  return { tally: run.tally };
}

function createRun(settings: ShadowSettings, deps: ShadowDeps, firstWorld: World) {
  const tally = createTally();
  /** By query; the oldest first. */
  const known = new Map<string, Entry>();
  /** Answered differently without a reason. */
  let suspects: Entry[] = [];
  let world = firstWorld;
  const compare = (entries: readonly Entry[]) =>
    compareAnswers(
      entries.map(({ question }) => question),
      { ...settings, world, reasons: REASONS_AS_INSTALLED },
    );

  function count(entry: Entry, verdict: Verdict): void {
    addVerdict(tally, verdict, entry.uncounted, entry.verdict === undefined, settings.examples);
    entry.uncounted = 0;
    entry.verdict = verdict;
  }

  /** Its entry, if it must be asked. */
  function note(question: Question): Entry | undefined {
    const key = keyOf(question);
    const entry = known.get(key);
    const nowMs = deps.clock.monotonicMs();
    if (entry !== undefined && entry.echoes > 0 && nowMs < entry.echoUntilMs) {
      entry.echoes--;
      return undefined;
    }
    tally.asked++;
    if (entry !== undefined && (entry.verdict === undefined || nowMs - entry.askedMs < KNOWN_MS)) {
      entry.uncounted++;
      if (entry.verdict !== undefined) count(entry, entry.verdict);
      return undefined;
    }
    const added = { question, askedMs: nowMs, uncounted: 1, verdict: undefined, echoes: 0, echoUntilMs: 0 };
    known.delete(key);
    known.set(key, added);
    if (known.size > MAX_KNOWN) known.delete(known.keys().next().value!);
    tally.distinct++;
    return added;
  }

  async function askSuspectsAgain(): Promise<void> {
    if (suspects.length === 0) return;
    const waited = deps.clock.monotonicMs() - suspects[suspects.length - 1]!.askedMs;
    if (!deps.stop.aborted && waited < settings.againMs) await pause(settings.againMs - waited, deps);
    world = await deps.readWorld();
    const differences = byIndex(await compare(suspects));
    for (const [index, entry] of suspects.entries()) count(entry, differences.get(index) ?? 'changed');
    suspects = [];
  }

  return {
    tally,
    askSuspectsAgain,
    /** Rejects with SilentServer unless both answer. */
    async probe(): Promise<void> {
      const question = probeOf(settings.zone);
      // Nobody has asked it yet: only its echoes are known.
      const entry: Entry = { question, askedMs: -KNOWN_MS, uncounted: 0, verdict: 'same', echoes: 0, echoUntilMs: 0 };
      known.set(keyOf(question), entry);
      expectEchoes(entry, settings, deps.clock);
      await Promise.all([settings.coreDns, settings.healthdns].map((server) => probe(server, question)));
    },
    async take(batch: readonly Question[]): Promise<void> {
      const entries = batch.flatMap((question) => note(question) ?? []);
      for (const entry of entries) expectEchoes(entry, settings, deps.clock);
      const differences = byIndex(await compare(entries));
      for (const [index, entry] of entries.entries()) {
        const verdict = differences.get(index) ?? 'same';
        if (verdict === 'same' || verdict.reasons !== undefined) count(entry, verdict);
        else suspects.push(entry);
      }
      const isOld = suspects.length > 0 && deps.clock.monotonicMs() - suspects[0]!.askedMs > settings.againMs;
      if (isOld || suspects.length > MAX_SUSPECTS) await askSuspectsAgain();
    },
    /** A server no longer responds: count them as different, as in the first round. */
    giveUpSuspects(): void {
      const none = { index: 0, coreDns: undefined, healthdns: undefined, reasons: undefined };
      for (const entry of suspects) count(entry, { ...none, question: entry.question });
    },
  };
}

/** It is about to be asked. */
function expectEchoes(entry: Entry, { echoes = 0 }: ShadowSettings, clock: Clock): void {
  entry.echoes = echoes;
  entry.echoUntilMs = clock.monotonicMs() + ECHO_MS;
}

const byIndex = (differences: readonly Difference[]) => new Map(differences.map((one) => [one.index, one]));

const keyOf = (question: Question): string => `${question.way.transport} ${composeQuery(question).toString('latin1')}`;

const probeOf = (zone: string): Question => ({ name: zone, type: 'SOA', way: { transport: 'udp' } });

async function probe(server: ShadowSettings['coreDns'], question: Question): Promise<void> {
  let isAnswered = false;
  await askAll({ server, transport: 'udp' }, [composeQuery(question)], (_, reply) => {
    isAnswered = reply !== undefined;
  });
  const address = server.family === 6 ? `[${server.address}]` : server.address;
  if (!isAnswered) throw new SilentServer(`${address}:${server.port} does not reply over UDP`);
}

/** Ends early when no more questions are wanted. */
function pause(ms: number, { clock, stop }: ShadowDeps): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimeoutKeepingAlive(resolve, ms);
    stop.addEventListener('abort', () => {
      timer.cancel();
      resolve();
    });
  });
}
