// The entry of a process that reads the file of `healthdns node`: the parser and the schemas take as much memory as all names that
// a node holds, and a thread that ends does not return that memory.
import { loadNodeConfig } from './load-node.ts';

process.once('message', (file: string) => {
  void loadNodeConfig(file).then((result) => process.send?.(result, () => process.disconnect()));
});
