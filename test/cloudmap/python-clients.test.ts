import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type CloudMapServer, startCloudMapServer } from '../support/cloud-map-server.ts';
import { requirement } from '../support/requirement.ts';

const run = promisify(execFile);

async function withServer(use: (server: CloudMapServer) => Promise<void>): Promise<void> {
  const server = await startCloudMapServer();
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

test('boto3 calls every operation of its service model', requirement('boto3'), () =>
  withServer(async ({ url }) => {
    const { stdout } = await run('python3', ['test/cloudmap/every_operation.py', url]);
    assert.equal(stdout, '30 operations\n');
  }),
);

test(
  'the aws CLI creates a namespace and a service, registers an instance and discovers it',
  requirement('aws-cli'),
  () =>
    withServer(async ({ url }) => {
      const env = {
        ...process.env,
        AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_DEFAULT_REGION: 'us-east-1',
        // discover-instances asks the host "data-cloudmap.internal"; through us as its proxy the CLI need not resolve it.
        HTTP_PROXY: url,
        NO_PROXY: '',
      };
      const aws = async (...words: string[]) => {
        // Unsigned writes are accepted under an address only.
        const endpoint = words[0] === 'discover-instances' ? 'http://cloudmap.internal' : url;
        const options = ['--endpoint-url', endpoint, '--output', 'json'];
        const { stdout } = await run('aws', ['servicediscovery', ...options, ...words], { env });
        return stdout === '' ? {} : JSON.parse(stdout);
      };
      const { OperationId } = await aws('create-private-dns-namespace', '--name', 'cli.local', '--vpc', 'vpc-1');
      const { Operation } = await aws('get-operation', '--operation-id', OperationId);
      const service = ['--name', 'api', '--namespace-id', Operation.Targets.NAMESPACE];
      const { Service } = await aws(
        'create-service',
        ...service,
        '--dns-config',
        'DnsRecords=[{Type=A,TTL=5}]',
        '--health-check-custom-config',
        'FailureThreshold=1',
      );
      const instance = ['--service-id', Service.Id, '--instance-id', 'i-1'];
      await aws('register-instance', ...instance, '--attributes', 'AWS_INSTANCE_IPV4=10.0.0.1');
      const discover = [
        'discover-instances',
        '--namespace-name',
        'cli.local',
        '--service-name',
        'api',
        '--health-status',
        'HEALTHY',
      ];
      assert.deepEqual((await aws(...discover)).Instances, [
        {
          InstanceId: 'i-1',
          NamespaceName: 'cli.local',
          ServiceName: 'api',
          HealthStatus: 'HEALTHY',
          Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' },
        },
      ]);
      await aws('update-instance-custom-health-status', ...instance, '--status', 'UNHEALTHY');
      assert.deepEqual((await aws(...discover)).Instances, []);
      await assert.rejects(aws('delete-service', '--id', Service.Id), /ResourceInUse/);
    }),
);
