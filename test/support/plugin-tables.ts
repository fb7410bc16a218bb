// The tables of docs/migrating-from-coredns.md, from the plugins that `healthdns migrate` knows: so they cannot differ.
import type { Plugin } from '../../src/migrate/plugin.ts';
import { PLUGINS } from '../../src/migrate/plugins.ts';

/** The page with its tables made anew: "<!-- options of NAME -->" and "<!-- plugins -->" up to "<!-- end -->". */
export function withPluginTables(page: string): string {
  return page.replaceAll(
    /<!-- (plugins|options of (\w+)) -->\n[\s\S]*?<!-- end -->/g,
    (_, heading: string, name?: string) => {
      const rows = name === undefined ? [...PLUGINS.values()].map(pluginRow) : optionRows(PLUGINS.get(name));
      return [`<!-- ${heading} -->`, '| CoreDNS | healthdns | |', '| --- | --- | --- |', ...rows, '<!-- end -->'].join(
        '\n',
      );
    },
  );
}

function optionRows(plugin: Plugin | undefined): string[] {
  return [...(plugin === undefined ? [] : [pluginRow(plugin)]), ...(plugin?.options ?? []).map(pluginRow)];
}

function pluginRow({ syntax, healthdns, note = '' }: Pick<Plugin, 'syntax' | 'healthdns' | 'note'>): string {
  return `| ${syntax} | ${healthdns} | ${note} |`;
}
