// `views`: some of the queries are answered by settings of their own, as in CoreDNS's server blocks.
import * as v from 'valibot';
import type { ViewSettings } from '../../plane/view-settings.ts';
import { type Path, type Reporter, show } from '../../reading/problem.ts';
import { list, mapping, oneOrMany, text } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { ListenAddress, ZoneConfig } from '../config.ts';
import {
  type AnsweringInput,
  type AnsweringLimits,
  answeringEntries,
  buildAnswering,
  checkAnswering,
} from './answering.ts';
import { formatListenAddress, listenAddress, parseListenAddress } from './listen.ts';
import { absoluteName, domainName } from './names.ts';
import { clientNetwork } from './network.ts';

const viewSchema = mapping(
  {
    name: v.optional(text('a name', 'Name in logs; default: view N.')),
    listen: v.optional(
      oneOrMany(
        listenAddress,
        'Queries that arrive at these addresses, which are opened in addition. Default: those of `listen`.',
      ),
    ),
    clients: v.optional(list(clientNetwork, 'Queries of clients in these networks; empty means all.'), []),
    names: v.optional(
      list(domainName('a zone', 'A zone.'), 'Queries for names at or below these; empty means all.'),
      [],
    ),
    zones: v.optional(
      list(
        domainName('a zone', 'A zone.'),
        'Those of `zones` that are answered, with their reverse zones. Default: all.',
      ),
    ),
    ...withoutDefaults(answeringEntries),
  },
  'Matching queries are answered with the settings of the view: of several matching views, the one with the longest match in `names`, then the first. Settings that it omits are those of the file.',
);

export const viewsEntry = v.optional(list(viewSchema, 'Other settings for some addresses, clients or names.'), []);

export type ViewInput = v.InferOutput<typeof viewSchema>;

/** Omitted keys stay undefined, so that the file's value is used. */
function withoutDefaults<Entries extends v.ObjectEntries>(entries: Entries) {
  const optional = Object.entries(entries).map(([key, entry]) => [
    key,
    v.optional((entry as { wrapped?: v.GenericSchema }).wrapped ?? (entry as v.GenericSchema)),
  ]);
  return Object.fromEntries(optional) as {
    [Key in keyof Entries]: v.OptionalSchema<v.GenericSchema<unknown, v.InferOutput<Entries[Key]>>, undefined>;
  };
}

/** The settings of the view, completed by those of the file. */
function answeringOf(view: ViewInput, file: AnsweringInput): AnsweringInput {
  const keys = Object.keys(answeringEntries) as (keyof AnsweringInput)[];
  return Object.fromEntries(keys.map((key) => [key, view[key] ?? file[key]])) as unknown as AnsweringInput;
}

export function checkViews(
  views: readonly ViewInput[],
  file: AnsweringInput,
  folder: string,
  soundness: Soundness,
  reporter: Reporter,
): void {
  for (const [i, view] of views.entries()) {
    const path = ['views', i];
    if (!soundness.isContainer(path)) continue;
    const here = below(reporter, path);
    // The file's own sections have been checked.
    const isSound = (key: keyof AnsweringInput) => view[key] !== undefined && soundness.isSound([...path, key]);
    checkAnswering(answeringOf(view, file), folder, isSound, here);
    if (view.listen !== undefined && [view.listen].flat().length === 0)
      here.problem(['listen'], '`listen`: expected at least one address');
    if (view.listen === undefined && view.clients.length === 0 && view.names.length === 0)
      here.problem([], 'a view has `listen`, `clients` or `names`: without them it would answer every query');
  }
}

/** The zones that views name exist. */
export function checkViewZones(
  views: readonly ViewInput[],
  zones: readonly { readonly name: string }[],
  reporter: Reporter,
): void {
  const known = zones.map(({ name }) => absoluteName(name));
  for (const [i, view] of views.entries())
    for (const [j, zone] of (view.zones ?? []).entries())
      if (!known.includes(absoluteName(zone)))
        reporter.problem(['views', i, 'zones', j], `${show(zone)} is not one of \`zones\``);
}

export function buildViews(
  views: readonly ViewInput[],
  file: AnsweringInput,
  limits: AnsweringLimits,
  folder: string,
  zones: readonly ZoneConfig[],
  reporter: Reporter,
): ViewSettings[] {
  return views.map((view, i) => ({
    name: view.name ?? `view ${i + 1}`,
    listen: [view.listen ?? []].flat().map(parseListenAddress),
    networks: view.clients,
    names: view.names.map((name) => absoluteName(name)),
    zones: view.zones?.flatMap((zone) => withReverse(absoluteName(zone), zones)),
    ...buildAnswering(answeringOf(view, file), limits, folder, zones, below(reporter, ['views', i])),
  }));
}

/** The zone, and those of the addresses in it. */
function withReverse(name: string, zones: readonly ZoneConfig[]): string[] {
  const zone = zones.find((one) => one.name === name);
  const usual = zone !== undefined && zone.kubernetes.length > 0 ? ['in-addr.arpa.', 'ip6.arpa.'] : [];
  return [name, ...(zone?.reverse ?? usual)];
}

/** The addresses of the file and of its views. */
export function allAddresses(listen: readonly ListenAddress[], views: readonly ViewSettings[]): ListenAddress[] {
  const all = [...listen, ...views.flatMap((view) => view.listen)];
  return [...new Map(all.map((address) => [formatListenAddress(address), address])).values()];
}

function below(reporter: Reporter, path: Path): Reporter {
  return {
    ...reporter,
    problem: (of, message) => reporter.problem([...path, ...of], message),
    warning: (of, message) => reporter.warning([...path, ...of], message),
  };
}
