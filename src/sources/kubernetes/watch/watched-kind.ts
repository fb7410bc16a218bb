// What a kind of object is to list-and-watch. One file per kind makes one of these; a new kind is a new file and a line
// in source.ts.
import type { Fields, MalformedObject, Metadata } from '../api/objects.ts';
import type { Schema } from '../protobuf/message.ts';

export interface WatchedKind {
  /** As in the API's paths and in RBAC: "endpointslices". */
  readonly resource: string;
  /** Tells kinds of one resource apart in logs and metrics: "pods of KECS"; default the resource. */
  readonly title?: string;
  /** "" is the core group. */
  readonly apiGroup: string;
  /** "/api/v1", "/apis/discovery.k8s.io/v1". */
  readonly groupVersionPath: string;
  /** Without it nothing can be answered: refused (403), the source is never ready. */
  readonly essential: boolean;
  /** undefined: all namespaces, or the kind has none. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** The configuration's key for it. */
  readonly selectorKey?: 'labels' | 'namespaceLabels';

  /** What `replace` reads of such an object in protobuf; without it JSON is asked for. */
  readonly protobuf?: Schema;

  /** The key under which the registry knows what an object states; a removed object is named by it alone. */
  keyOf(namespace: string, name: string): string;
  /**
   * States all that the object says. Throws MalformedObject where it cannot be translated; then what it said before
   * stands. Returns what was wrong with a part that was left out. May be called again with the same object.
   */
  replace(key: string, metadata: Metadata, object: Fields): MalformedObject | undefined;
  /** The object is gone. */
  remove(key: string): void;
  /** Resources whose objects repeat what those of this kind report, and stand in for it while it is not followed. */
  readonly repeatedBy?: readonly string[];
  /** Nothing has been heard of this kind since then (wall clock), while what repeats it is followed; undefined: it is again. */
  setStale?(sinceMs: number | undefined): void;
  /** A snapshot has stated what these objects said. Before anything else is called. */
  restored?(keys: Iterable<string>): void;
  /** The server has refused this kind for a while: what these objects stated would grow old and is taken back. */
  abandon?(keys: Iterable<string>): void;
}

/** "/api/v1/namespaces/shop/pods?labelSelector=…" with the given parameters. */
export function pathOf(kind: WatchedKind, parameters: Readonly<Record<string, string>>): string {
  const namespace = kind.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(kind.namespace)}`;
  const query = new URLSearchParams(parameters);
  if (kind.labelSelector !== undefined) query.set('labelSelector', kind.labelSelector);
  return `${kind.groupVersionPath}${namespace}/${kind.resource}?${query}`;
}

/** Where an API server's 400 comes from: nothing else in the request is a user's. */
export const selectorOf = ({ labelSelector, selectorKey }: WatchedKind): string =>
  labelSelector === undefined || selectorKey === undefined ? '' : `\`${selectorKey}: ${labelSelector}\`: `;

/** What an administrator must add to the role when this kind is refused. */
export const missingRule = (kind: WatchedKind): string =>
  `- {apiGroups: ["${kind.apiGroup}"], resources: ["${kind.resource}"], verbs: ["list", "watch"]}`;

/** "pods", "pods in shop": for logs, metrics and /ready. */
export const labelOf = ({ title, resource, namespace }: WatchedKind): string =>
  namespace === undefined ? (title ?? resource) : `${title ?? resource} in ${namespace}`;
