// The rules of imports, checked by `npm run check`. Type-only imports count.

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle-between-files',
      comment: 'Move what both files need into a third one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-circle-between-folders',
      comment: 'Folders of a `src` depend on each other in one direction.',
      severity: 'error',
      scope: 'folder',
      from: { path: '^[^/]+/[^/]+/src/[^/]+' },
      to: { circular: true, viaOnly: { path: '^[^/]+/[^/]+/src/[^/]+' } },
    },
    {
      name: 'no-import-of-the-whole-from-a-part',
      comment: 'app.ts and main.ts plug the parts in; a part does not know them.',
      severity: 'error',
      from: { path: '^[^/]+/[^/]+/src/[^/]+/' },
      to: { path: '^[^/]+/[^/]+/src/(app|main)\\.ts$' },
    },
    {
      name: 'verify-stands-alone',
      comment: '@latchkey/verify imports nothing else of this repository.',
      severity: 'error',
      from: { path: '^packages/verify/src/' },
      to: { path: '^(?!packages/verify/)(packages|services|tools|ops|k8s)/' },
    },
    {
      name: 'web-imports-verify-only',
      comment: '@latchkey/web is for apps outside of this repository, too.',
      severity: 'error',
      from: { path: '^packages/web/src/' },
      to: { path: '^(?!packages/(web|verify)/)(packages|services|tools|ops|k8s)/' },
    },
    {
      name: 'packages-import-packages-only',
      comment: 'services → packages/service-kit → packages/verify.',
      severity: 'error',
      from: { path: '^packages/', pathNot: '/test/' },
      to: { path: '^(services|tools|ops|k8s)/' },
    },
    {
      name: 'no-service-imports-another',
      comment: 'Services talk over HTTP.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'only-tests-and-tools-import-tools',
      comment: 'Tools are for developers; what runs in production does not need them.',
      severity: 'error',
      from: { pathNot: '(^tools/|/test/)' },
      to: { path: '^tools/' },
    },
    {
      name: 'only-stores-import-pg',
      comment: 'SQL belongs in a store.ts, or a file such as read-store.ts where that grows long.',
      severity: 'error',
      from: { path: '^services/[^/]+/src/', pathNot: ['/store\\.ts$', '-store\\.ts$'] },
      to: { path: '/node_modules/(@types/)?pg/' },
    },
    {
      name: 'no-import-of-tests',
      severity: 'error',
      from: { pathNot: '/test/' },
      to: { path: '^[^/]+/[^/]+/test/' },
    },
    {
      name: 'no-unresolved-import',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.tap)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
}
