// CustomResourceDefinitions of the Prometheus operator's kinds, with the fields that the chart sets and the operator's rules for
// them. An API server that validates strictly rejects any other field.

const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };
const list = (items: object) => ({ type: 'array', items });
const fields = (properties: object, required: readonly string[] = []) => ({ type: 'object', properties, required });
const duration = {
  type: 'string',
  pattern: '^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$',
};
const relabeling = fields({
  ...{ sourceLabels: list(text), separator: text, targetLabel: text, regex: text, replacement: text },
  action: {
    enum: ['replace', 'keep', 'drop', 'hashmod', 'labelmap', 'labeldrop', 'labelkeep', 'lowercase', 'uppercase'],
    ...text,
  },
});
const endpoints = list(fields({ port: text, path: text, interval: duration, relabelings: list(relabeling) }));
const selector = fields({ matchLabels: texts });
const rule = fields({ alert: text, expr: text, for: duration, labels: texts, annotations: texts }, ['expr']);
const group = fields({ name: { ...text, minLength: 1 }, rules: list(rule) }, ['name']);

const KINDS: Readonly<Record<string, object>> = {
  ServiceMonitor: fields({ endpoints, selector }, ['endpoints', 'selector']),
  PodMonitor: fields({ podMetricsEndpoints: endpoints, selector }, ['selector']),
  PrometheusRule: fields({
    groups: { ...list(group), 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  }),
};

export const OPERATOR_KINDS = Object.entries(KINDS).map(([kind, spec]) => {
  const plural = `${kind.toLowerCase()}s`;
  const openAPIV3Schema = fields({ spec }, ['spec']);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
});
