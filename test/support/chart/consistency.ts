// Whether the objects of a rendered chart fit together. An API server looks at each object alone.
import type { Manifest } from '../manifests.ts';

type Labels = Readonly<Record<string, string>>;

/** Each sentence is a reference that leads nowhere, or a part that does not fit another. */
export function inconsistencies(objects: readonly Manifest[]): string[] {
  // The cluster-proportional-autoscaler has objects of its own.
  const [scaler, server] = [objects.filter(isOfScaler), objects.filter((object) => !isOfScaler(object))];
  const workload = server.find(isWorkload);
  if (workload === undefined) return ['there is no Deployment and no DaemonSet'];
  return [
    ...duplicates(objects),
    ...server.flatMap((object) => (SELECTS_PODS[object.kind] ? selectedPods(object, workload) : [])),
    ...ports(server, workload),
    ...references(server, workload),
    ...sizes(server, workload),
    ...(scaler.length === 0 ? [] : scalerProblems(scaler, workload)),
  ];
}

const isOfScaler = ({ metadata }: Manifest): boolean => metadata.name.endsWith('-autoscaler');
const isWorkload = ({ kind }: Manifest): boolean => kind === 'Deployment' || kind === 'DaemonSet';
const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

function duplicates(objects: readonly Manifest[]): string[] {
  const names = objects.map(nameOf);
  return names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is there twice`);
}

const SELECTS_PODS: Readonly<Record<string, (object: Manifest) => Labels>> = {
  Deployment: ({ spec }) => spec.selector.matchLabels,
  DaemonSet: ({ spec }) => spec.selector.matchLabels,
  Service: ({ spec }) => spec.selector,
  PodDisruptionBudget: ({ spec }) => spec.selector.matchLabels,
  NetworkPolicy: ({ spec }) => spec.podSelector.matchLabels,
  PodMonitor: ({ spec }) => spec.selector.matchLabels,
};

function selectedPods(object: Manifest, workload: Manifest): string[] {
  const selector = SELECTS_PODS[object.kind]!(object);
  const isEmpty = Object.keys(selector).length === 0;
  const selects = matches(selector, workload.spec.template.metadata.labels) && !isEmpty;
  return selects ? [] : [`${nameOf(object)} does not select the pods`];
}

const matches = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol: string;
}

function ports(objects: readonly Manifest[], workload: Manifest): string[] {
  const [container] = workload.spec.template.spec.containers;
  // In the host's network, ports that are declared are taken from the node.
  const open: ContainerPort[] = container.ports ?? [];
  const names = new Set(open.map(({ name }) => name));
  const problems: string[] = [];
  const need = (what: string, port: string | number) => {
    if (typeof port === 'string' && !names.has(port))
      problems.push(`${what} names port ${port}, which the container does not have`);
  };
  for (const probe of ['livenessProbe', 'readinessProbe']) need(probe, container[probe].httpGet.port);
  for (const object of objects) {
    if (object.kind === 'Service') for (const { targetPort } of object.spec.ports) need(nameOf(object), targetPort);
    if (object.kind === 'PodMonitor')
      for (const { port } of object.spec.podMetricsEndpoints) need(nameOf(object), port);
    if (object.kind === 'ServiceMonitor') problems.push(...monitoredService(object, objects));
    if (object.kind === 'NetworkPolicy') problems.push(...unreachable(object, open));
  }
  return problems;
}

function monitoredService(monitor: Manifest, objects: readonly Manifest[]): string[] {
  const services = objects.filter(
    ({ kind, metadata }) => kind === 'Service' && matches(monitor.spec.selector.matchLabels, metadata.labels),
  );
  if (services.length === 0) return [`${nameOf(monitor)} selects no Service`];
  const has = (name: string) => services[0].spec.ports.some((port: { name: string }) => port.name === name);
  return monitor.spec.endpoints
    .filter(({ port }: { port: string }) => !has(port))
    .map(({ port }: { port: string }) => `${nameOf(monitor)} names port ${port}, which the Service does not have`);
}

function unreachable(policy: Manifest, open: readonly ContainerPort[]): string[] {
  const admitted: { port: number; protocol: string }[] = policy.spec.ingress.flatMap((rule: Manifest) => rule.ports);
  return open
    .filter(
      ({ containerPort, protocol }) => !admitted.some((one) => one.port === containerPort && one.protocol === protocol),
    )
    .map(({ name }) => `${nameOf(policy)} does not admit port ${name}`);
}

function references(objects: readonly Manifest[], workload: Manifest): string[] {
  const has = (kind: string, name: string) => objects.some((one) => one.kind === kind && one.metadata.name === name);
  const { serviceAccountName, volumes = [], containers } = workload.spec.template.spec;
  const problems: string[] = [];
  const configuration = volumes.find(({ name }: { name: string }) => name === 'configuration');
  if (configuration && !has('ConfigMap', configuration.configMap.name))
    problems.push('the pods mount a ConfigMap that is not there');
  for (const { name } of containers[0].volumeMounts ?? [])
    if (!volumes.some((volume: { name: string }) => volume.name === name)) problems.push(`no volume ${name}`);
  for (const { kind, metadata } of objects)
    if (kind === 'ServiceAccount' && metadata.name !== serviceAccountName)
      problems.push(`the pods run as ${serviceAccountName}, not as ${metadata.name}`);
  for (const binding of objects.filter(({ kind }) => kind.endsWith('RoleBinding'))) {
    if (!has(binding.roleRef.kind, binding.roleRef.name))
      problems.push(`${nameOf(binding)} names a role that is not there`);
    const [{ name, namespace }] = binding.subjects;
    if (name !== serviceAccountName || namespace !== workload.metadata.namespace)
      problems.push(`${nameOf(binding)} is for ${namespace}/${name}, not for the pods`);
  }
  return problems;
}

function sizes(objects: readonly Manifest[], workload: Manifest): string[] {
  const scaler = objects.find(({ kind }) => kind === 'HorizontalPodAutoscaler');
  const budget = objects.find(({ kind }) => kind === 'PodDisruptionBudget');
  const problems: string[] = [];
  if (scaler !== undefined) {
    const { kind, name } = scaler.spec.scaleTargetRef;
    if (kind !== workload.kind || name !== workload.metadata.name) problems.push(`${nameOf(scaler)} scales nothing`);
    if (workload.spec.replicas !== undefined) problems.push('replicas are set beside the autoscaler');
  }
  if ((workload.kind === 'Deployment') !== (budget !== undefined))
    problems.push(`a ${workload.kind} ${budget === undefined ? 'without' : 'with'} a PodDisruptionBudget`);
  return problems;
}

function scalerProblems(objects: readonly Manifest[], target: Manifest): string[] {
  const scaler = objects.find(isWorkload);
  const { name } = target.metadata;
  const [{ command }] = scaler.spec.template.spec.containers;
  const [scale] = objects.find(({ kind }) => kind === 'Role').rules;
  const configMap = objects.find(({ kind }) => kind === 'ConfigMap').metadata.name;
  return [
    ...selectedPods(scaler, scaler),
    ...references(objects, scaler),
    ...(command.includes(`--target=deployment/${name}`) ? [] : [`the autoscaler does not scale ${name}`]),
    ...(command.includes(`--configmap=${configMap}`) ? [] : ['the autoscaler does not read its ConfigMap']),
    ...(scale.resourceNames[0] === name ? [] : [`the autoscaler may not scale ${name}`]),
    ...(target.spec.replicas === undefined ? [] : ['replicas are set beside the autoscaler']),
  ];
}
