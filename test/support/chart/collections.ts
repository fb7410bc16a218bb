import type { Manifest } from '../manifests.ts';
import type { RestClient } from '../rest-client.ts';

/** Where objects are created: the resource of their kind, as the API server lists it. */
export async function collections(
  client: RestClient,
  objects: readonly Manifest[],
): Promise<(object: Manifest) => string> {
  const known = new Map<string, { readonly name: string; readonly namespaced: boolean }>();
  for (const path of new Set(objects.map(groupPath))) {
    const { body } = await client.get(path);
    for (const { kind, name, namespaced } of body.resources)
      if (!name.includes('/')) known.set(`${path} ${kind}`, { name, namespaced });
  }
  return (object) => {
    const path = groupPath(object);
    const { name, namespaced } = known.get(`${path} ${object.kind}`)!;
    return namespaced ? `${path}/namespaces/${object.metadata.namespace}/${name}` : `${path}/${name}`;
  };
}

const groupPath = ({ apiVersion }: Manifest): string => (apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`);
