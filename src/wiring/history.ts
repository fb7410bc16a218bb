// Restores, records, logs and writes the history.
import type { Clock } from '../clock.ts';
import type { Config, ZoneConfig } from '../config/config.ts';
import type { EventsWriter } from '../endpoints/events.ts';
import { createHistory, type History, type HistoryChange } from '../history/history.ts';
import { type HistoryFile, openHistoryFile, restoreHistory } from '../history/history-file.ts';
import { createRecorder } from '../history/recorder.ts';
import { createTransitionLog } from '../history/transition-log.ts';
import type { Logger } from '../log.ts';
import type { Metrics, Reading } from '../metrics.ts';
import type { StatusBoard } from '../sources/status.ts';
import type { ControlPlane } from './control-plane.ts';

export interface RunningHistory {
  readonly history: History;
  /** Records pending changes, so that an explanation is complete. */
  settle(): void;
  onChange(listener: (change: HistoryChange) => void): void;
  /** The first configuration has been applied: new instances are changes from now on. */
  begin(): void;
  reload(config: Pick<Config, 'history' | 'zones'>): Promise<void>;
  readings(): readonly Reading[];
  stop(): Promise<void>;
}

/** Start it before the sources. */
export async function startHistory(
  control: Pick<ControlPlane, 'registry' | 'health' | 'board'>,
  config: Pick<Config, 'history' | 'zones'>,
  { clock, log, metrics }: { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics },
): Promise<RunningHistory> {
  const { file, ...limits } = config.history;
  const history = createHistory(limits);
  let current = file;
  if (file !== undefined) await restoreHistory({ file, history, clock, log });
  history.began(clock.now());
  const openFile = (path: string | undefined): HistoryFile | undefined =>
    path === undefined ? undefined : openHistoryFile({ file: path, clock, log });
  let written = openFile(file);
  let hasBegun = false;
  const isPublished = knownZones(control.board);
  const recorder = createRecorder({ ...control, history, clock, isKnown: (zone) => hasBegun && isPublished(zone) });
  const recorded = metrics.counter('healthdns_history_changes_total');
  const notLogged = metrics.counter('healthdns_transitions_not_logged_total');
  recorder.onChange(createTransitionLog(log, clock, (transitions) => notLogged.inc(transitions)));
  recorder.onChange((change) => {
    recorded.inc(1);
    written?.append(change);
  });
  const eventCount = metrics.counter('healthdns_events_total');
  let events: EventsWriter | undefined;
  /** Loaded for the first cluster that gets Events: the client of its API server is 1 MB of code. */
  const setEvents = async (zones: readonly ZoneConfig[]): Promise<void> => {
    const clusters = clustersWithEvents(zones);
    if (events === undefined && clusters.length > 0) {
      const { createEvents } = await import('../endpoints/events.ts');
      events = createEvents({ ...control, clock, log, count: (result) => eventCount.inc(1, result) });
      recorder.onChange(events.note);
    }
    events?.setClusters(clusters);
  };
  await setEvents(config.zones);
  return {
    history,
    settle: recorder.settle,
    onChange: recorder.onChange,
    begin() {
      hasBegun = true;
    },
    async reload({ history: { file: next, ...changed }, zones }) {
      await setEvents(zones);
      history.setLimits(changed);
      if (next === current) return;
      const before = written;
      current = next;
      written = openFile(next);
      await before?.stop();
    },
    readings() {
      const { kept, dropped } = history.counts();
      return [
        { name: 'healthdns_history_changes', value: kept },
        { name: 'healthdns_history_dropped_total', value: dropped },
      ];
    },
    async stop() {
      recorder.settle();
      recorder.stop();
      await events?.stop();
      await written?.stop();
    },
  };
}

const clustersWithEvents = (zones: readonly ZoneConfig[]) =>
  zones.flatMap(({ kubernetes }) => kubernetes).filter(({ events }) => events === true);

/** Whether everything that the sources of a zone first reported is answered. */
function knownZones(board: Pick<StatusBoard, 'zone' | 'unpublished' | 'onChange'>): (zone: string) => boolean {
  const known = new Map<string, boolean>();
  board.onChange(() => known.clear());
  return (zone) => {
    const before = known.get(zone);
    if (before !== undefined) return before;
    const now = board.zone(zone).ready && !board.unpublished().some(({ zones }) => zones.includes(zone));
    known.set(zone, now);
    return now;
  };
}
