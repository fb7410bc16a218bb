// All plugins of CoreDNS that the migration knows, by name.

import type { Plugin } from './plugin.ts';
import { cache } from './plugin-cache.ts';
import { forward } from './plugin-forward.ts';
import { k8sExternal, kubernetes } from './plugin-kubernetes.ts';
import { rewrite } from './plugin-rewrite.ts';
import { acl, autopath, log } from './plugins-front.ts';
import { dns64, file, hosts, root, template } from './plugins-local.ts';
import {
  bind,
  bufsize,
  chaos,
  errors,
  health,
  loadbalance,
  local,
  loop,
  nsid,
  others,
  prometheus,
  ready,
  reload,
  timeouts,
  view,
} from './plugins-server.ts';

const all: readonly Plugin[] = [
  kubernetes,
  k8sExternal,
  forward,
  cache,
  hosts,
  file,
  root,
  template,
  dns64,
  rewrite,
  acl,
  autopath,
  log,
  bind,
  health,
  ready,
  prometheus,
  bufsize,
  chaos,
  nsid,
  view,
  errors,
  local,
  timeouts,
  loadbalance,
  loop,
  reload,
  ...others,
];

export const PLUGINS: ReadonlyMap<string, Plugin> = new Map(all.map((plugin) => [plugin.name, plugin]));
