const own = 'docs/test/newcomer.test.ts'
const examples = 'packages/verify/test/examples.test.ts'

/**
 * For each page and heading of the second level: the test that runs or compiles the code below it,
 * or why none does.
 */
// biome-ignore format: a table
export const runners: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'README.md': {
    'Start it': 'tools/cluster/test/main.test.ts',
    'From login to two services': own,
    'Protect your own service': examples,
  },
  'packages/verify/README.md': {
    '': examples, // its commands are those of the guide to add your own service
    'In a service': examples,
    'CORS': examples,
    'Tokens from another place': examples,
    'Keys': examples, // docs/test/commands.test.ts reads the key file, which has no secret
    'Revocation': examples,
    'Types': examples,
    'In tests': examples,
  },
  'packages/web/README.md': {
    '': examples,
  },
  'docs/guides/accounts.md': {
    'The first admin': 'services/auth/test/operator.test.ts',
    'Verified registration': 'needs a code that a person reads; services/auth/test/registration.test.ts takes the steps',
    'Reset of a password': 'needs a code that a person reads; services/auth/test/password-reset.test.ts takes the steps',
    'Change of address, and its undo': 'needs a code that a person reads; services/auth/test/email-change.test.ts takes the steps',
    'Profile and own data': 'services/auth/test/own-data.test.ts',
    'Administration': 'services/auth/test/operator.test.ts',
  },
  'docs/guides/add-a-service.md': {
    'The service': 'runs the tests of a service that the reader writes',
    'An installation that already runs': 'docs/test/commands.test.ts',
    'Check it': 'runs the tests',
  },
  'docs/guides/add-your-own-service.md': {
    'Start Latchkey': own,
    'Create the project': own,
    'Write the server': own,
    'Try it': own,
    'Docker Compose': 'ops/compose/test/own-service.test.ts',
    'Kubernetes': 'k8s/test/own-service.test.ts',
    'Keys': own,
    'Without a key file': 'needs a public address; services/auth/test/jwks.test.ts verifies so',
    'Not in JavaScript': own,
  },
  'docs/guides/backup-and-restore.md': {
    '`npm start`': 'tools/cluster/test/backup.test.ts',
    'Docker Compose': 'k8s/test/backup.test.ts',
    'Kubernetes, `dev` overlay': 'k8s/test/backup.test.ts',
    'Kubernetes with CloudNativePG': 'needs a cluster; the patch is checked in k8s/test/backup.test.ts',
    'What a restore forgets': 'services/auth/test/recover.test.ts',
  },
  'docs/guides/compose.md': {
    '': 'needs a Docker engine; ops/compose/test/compose.test.ts starts the project and logs in',
    'Sign in with a browser': 'needs a Docker engine; ops/compose/test/sign-in.ts signs in',
    'Mail': 'needs a Docker engine and the network; ops/compose/test/mail.test.ts checks the settings',
    'Secrets': 'needs a Docker engine; services/auth/test/rotation.test.ts rotates keys',
    'Operation': 'needs a Docker engine; ops/compose/test/compose.test.ts scales and kills replicas',
    'The images on their own': 'needs a Docker engine; ops/compose/test/image.test.ts builds and starts an image',
  },
  'docs/guides/es256.md': {
    'Move': own,
  },
  'docs/guides/kubernetes.md': {
    'Cluster and ingress controller': 'needs kind and the network',
    'Images': 'k8s/test/images.test.ts',
    'Secrets': 'k8s/test/guide.ts',
    'Install': 'needs a cluster; k8s/test/start.test.ts starts what the manifests describe',
    'Log in': 'needs a cluster; k8s/test/start.test.ts logs in',
    'Sign in': 'k8s/test/start.test.ts',
    'Rotate the keys': 'needs a cluster; the tests of services/auth rotate keys',
    'Production': 'needs a cluster and the network',
    'Mail': 'k8s/test/mail.test.ts',
    'What is public': 'k8s/test/render.ts',
  },
  'docs/guides/migrate-to-latchkey-verify.md': {
    'From @fastify/jwt': examples,
  },
  'docs/guides/sign-in-with-other-apps.md': {
    'Register the app': 'services/auth/test/client-commands.test.ts',
    'Auth.js': 'needs Auth.js and a framework; services/auth/test/clients-openid.test.ts signs in with its OAuth library',
    'Express, and any other server': 'needs an installation; services/auth/test/clients-openid.test.ts signs in with openid-client',
  },
  'docs/guides/single-page-apps.md': {
    'A single-page app without a server': 'runs in a browser; services/auth/test/clients-foreign.test.ts signs in such an app',
    'A native app': 'services/auth/test/client-commands.test.ts',
  },
  'docs/guides/single-sign-on.md': {
    'Clients': 'services/auth/test/client-commands.test.ts',
  },
  'docs/guides/troubleshooting.md': {
    'Start with the doctor': 'needs an installation; services/auth/test/doctor.test.ts runs the command',
  },
  'docs/guides/upgrade.md': {
    'From 0.1 to 0.2': 'needs a release; services/auth/test/clients.test.ts and cli.test.ts take the steps',
    'Docker Compose': 'needs a release; ops/compose/test/compose.test.ts starts the project',
    'Kubernetes': 'needs a cluster; the commands are those of the guide for Kubernetes',
  },
  'docs/guides/web-app.md': {
    'Register the app': 'needs an installation; packages/web/test/support.ts registers an app so',
    'Protect the app': examples,
    'Fetch from a single-page app': 'runs in a browser; packages/web/test/sign-in.test.ts sends such requests',
  },
  'docs/guides/when-postgres-fails.md': {
    'Settings of Patroni': 'needs Patroni; the drill patroni starts a cluster with such settings',
    'After a failover or a restore': 'needs an installation; the tests of services/auth run the commands',
  },
}
