// Bundles the plugin into dist/kubectl-restorehooks and the runner into dist/runner.cjs, one file each.
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { DEFAULT_IMAGE, VERSION } from './shared/core/version.ts';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
if (manifest.version !== VERSION) {
  throw new Error(`package.json says ${manifest.version}, shared/core/version.ts ${VERSION}`);
}
const [major, minor] = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node).slice(1).map(Number);

// Comes before everything else and in words that the oldest Node understands.
const nodeCheck = (name) => `(function () {
  var version = process.versions.node.split('.');
  if (+version[0] > ${major} || (+version[0] === ${major} && +version[1] >= ${minor})) return;
  process.stderr.write('error: ${name} needs Node.js ${major}.${minor} or newer, this is ' + process.version + '\\n');
  process.exit(1);
})();`;

// The plugin's file has no ending, so Node takes it for a CommonJS or an ES module after the package.json above it,
// which differs between a checkout, an npm package and /usr/local/bin. It must run as both: an IIFE that gets its
// \`require\` from \`process\`.
const requireForBoth = `var require = process.getBuiltinModule('node:module').createRequire(process.execPath);`;

// Of the client library only its configuration is used; its generated models would be 5 of 6 MiB. Whoever needs more of
// it names that here.
const onlyKubeConfig = {
  name: 'only-kube-config',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^@kubernetes\/client-node$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'resolved') return undefined;
      const found = await resolve(path, { ...from, pluginData: 'resolved' });
      return { path: found.path.replace(/index\.js$/, 'config.js'), sideEffects: false };
    });
    onResolve({ filter: /gen\/.*\.js$|^\.\.?\/.*\.js$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'resolved' || !/client-node\/dist/.test(from.importer)) return undefined;
      return { ...(await resolve(path, { ...from, pluginData: 'resolved' })), sideEffects: false };
    });
  },
};

const common = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  minifySyntax: true,
  minifyWhitespace: true,
  // Names are kept: a stack trace in an issue must say something.
  legalComments: 'none',
  plugins: [onlyKubeConfig],
  logLevel: 'warning',
};

mkdirSync('dist', { recursive: true });
await Promise.all([
  build({
    ...common,
    entryPoints: ['plugin/main.ts'],
    outfile: 'dist/kubectl-restorehooks',
    format: 'iife',
    banner: { js: `#!/usr/bin/env node\n${nodeCheck('kubectl restorehooks')}\n${requireForBoth}` },
  }),
  build({
    ...common,
    entryPoints: ['runner/job.ts'],
    outfile: 'dist/runner.cjs',
    format: 'cjs',
    banner: { js: nodeCheck('the runner of kubectl restorehooks') },
  }),
]);
chmodSync('dist/kubectl-restorehooks', 0o755);

for (const file of ['dist/kubectl-restorehooks', 'dist/runner.cjs']) {
  process.stdout.write(`${file}  ${Math.round(statSync(file).size / 1024)} KiB\n`);
}
process.stdout.write(`image    ${DEFAULT_IMAGE}\n`);
