import * as v from 'valibot';
import type { Api } from '../api.ts';
import { CloudMapError } from '../errors.ts';
import { serviceArn } from '../ids.ts';
import { read, resourceId, serviceAttributeKeys, serviceAttributes } from '../input.ts';
import { serviceOf } from '../lookup.ts';
import { checkPolicyAttribute } from '../service-policy.ts';

const MAX_ATTRIBUTES = 30;

const getInput = v.object({ ServiceId: resourceId });

export function getServiceAttributes(api: Api, input: unknown): object {
  const service = serviceOf(api, read(getInput, input).ServiceId);
  return {
    ServiceAttributes: {
      ServiceArn: serviceArn(api, service.id),
      ResourceOwner: api.account,
      Attributes: service.attributes,
    },
  };
}

const updateInput = v.object({ ServiceId: resourceId, Attributes: serviceAttributes });

export function updateServiceAttributes(api: Api, input: unknown): Promise<object> {
  const { ServiceId, Attributes } = read(updateInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const attributes = { ...service.attributes, ...Attributes };
    if (Object.keys(attributes).length > MAX_ATTRIBUTES)
      throw new CloudMapError(
        'ServiceAttributesLimitExceededException',
        `a service has at most ${MAX_ATTRIBUTES} attributes`,
      );
    checkPolicyAttribute(attributes);
    return { changes: [{ collection: 'service', key: service.id, value: { ...service, attributes } }], result: {} };
  });
}

const deleteInput = v.object({ ServiceId: resourceId, Attributes: serviceAttributeKeys });

export function deleteServiceAttributes(api: Api, input: unknown): Promise<object> {
  const { ServiceId, Attributes } = read(deleteInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const kept = Object.entries(service.attributes).filter(([key]) => !Attributes.includes(key));
    const value = { ...service, attributes: Object.fromEntries(kept) };
    return { changes: [{ collection: 'service', key: service.id, value }], result: {} };
  });
}
