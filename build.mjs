// Bundles the plugin into dist/kubectl-restorehooks, the runner into dist/runner.cjs and dist/lambda.cjs, one file each.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { DEFAULT_IMAGE, VERSION } from './shared/core/version.ts';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
if (manifest.version !== VERSION) {
  throw new Error(`package.json says ${manifest.version}, shared/core/version.ts ${VERSION}`);
}
const [major, minor] = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node).slice(1).map(Number);

const CLIENT = '@kubernetes/client-node';

/**
 * Of the client library only its KubeConfig is used; with its generated models the runner would be 6.5 MiB. undici
 * (1 MiB more) is for a method of KubeConfig that makes connections, and we make our own.
 */
const onlyKubeConfig = {
  name: 'only-kube-config',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
    onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      const entry = path === CLIENT;
      if (pluginData === 'resolved' || !(entry || from.importer.includes(`/${CLIENT}/dist/`))) return undefined;
      const found = await resolve(path, { ...from, pluginData: 'resolved' });
      if (found.errors.length > 0 || found.external) return found;
      return { path: entry ? found.path.replace(/index\.js$/, 'config.js') : found.path, sideEffects: false };
    });
  },
};

/**
 * Of zod's core and of js-yaml every start needs little, and other parts much. With copies of its own, `main` has only
 * what it uses.
 */
const ownCopies = {
  name: 'own-copies',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      const own = { 'js-yaml': '/shared/input/manifests.ts', 'zod/mini': '.ts', 'zod/v4/locales/en.js': '.ts' }[path];
      if (pluginData === 'resolved' || !(from.namespace === 'main' || (own && from.importer.endsWith(own)))) return;
      const found = await resolve(path, { ...from, namespace: 'file', pluginData: 'resolved' });
      return { path: found.path, namespace: 'main', sideEffects: false };
    });
    onLoad({ filter: /./, namespace: 'main' }, ({ path }) => ({
      // js-yaml's tables and regular expressions do nothing but be there: what isn't used may go.
      contents: readFileSync(path, 'utf8').replace(
        /^var ([\w$]+) = (.*|[\s\S]*?\n\S.*);$/gm,
        'var $1 = /* @__PURE__ */ (() => ($2))();',
      ),
      resolveDir: dirname(path),
    }));
  },
};

const common = {
  platform: 'node',
  target: `node${major}`,
  // Names are kept: a stack trace in an issue must say something.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  logOverride: { 'empty-import-meta': 'error' },
};
const bundled = { ...common, bundle: true, write: false, plugins: [ownCopies, onlyKubeConfig] };

export async function runnerBundle(entry, external = [], plugins = []) {
  const banner = { js: nodeCheck('the runner of kubectl restorehooks') };
  const { outputFiles } = await build({
    ...bundled,
    entryPoints: [entry],
    external,
    plugins: [...plugins, ...bundled.plugins],
    format: 'cjs',
    banner,
  });
  return outputFiles[0].text;
}

/** What is loaded with `import()`, and which part of the plugin it belongs to; the others make up `cluster`. */
const PARTS = {
  'plugin/main.ts': 'main',
  'plugin/commands/plan.ts': 'main',
  'plugin/commands/version.ts': 'main',
  'plugin/output/render.ts': 'main',
  [`node_modules/${CLIENT}/dist/config.js`]: 'client',
  'node_modules/yargs/index.mjs': 'help',
  'plugin/commands/inject.ts': 'inject',
  'plugin/commands/lint.ts': 'lint',
  'plugin/input/backup-input.ts': 'archive',
};

/**
 * The plugin's code, by part: esbuild splits the code into modules, so that each is there once, and then puts those of
 * a part together again.
 */
async function pluginParts() {
  const { outputFiles, metafile } = await build({
    ...bundled,
    entryPoints: ['plugin/main.ts'],
    format: 'esm',
    splitting: true,
    chunkNames: '[name]-[hash]',
    outdir: '.',
    metafile: true,
  });
  const partOf = {};
  const assign = (module, part) => {
    if (partOf[module]) return;
    partOf[module] = part;
    const { imports } = metafile.outputs[module];
    for (const { path, kind, external } of imports) if (kind === 'import-statement' && !external) assign(path, part);
  };
  for (const part of ['main', 'cluster', 'client', 'help', 'inject', 'lint', 'archive']) {
    for (const [module, { entryPoint }] of Object.entries(metafile.outputs)) {
      if (entryPoint && (PARTS[entryPoint] ?? 'cluster') === part) assign(module, part);
    }
  }
  for (const entry of Object.keys(PARTS)) {
    if (!Object.values(metafile.outputs).some(({ entryPoint }) => entryPoint === entry)) {
      throw new Error(`${entry} is not loaded with import() alone`);
    }
  }
  const codeOf = Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), text]));
  const names = [...new Set(Object.values(partOf))];
  const texts = await Promise.all(names.map(async (part) => [part, await partText(part, partOf, codeOf)]));
  return { partOf, texts: Object.fromEntries(texts) };
}

/** The modules of one part in one scope; each runs when it is first asked for. */
async function partText(part, partOf, codeOf) {
  const table = Object.keys(codeOf)
    .filter((name) => partOf[name] === part)
    .map((name) => `'${name}': () => require('./${name}'),`);
  const { outputFiles } = await build({
    ...bundled,
    stdin: { contents: `module.exports = {${table.join('')}}` },
    format: 'cjs',
    // yargs asks where it is, to find translations: they aren't here, and aren't missed.
    define: { 'import.meta': '__meta' },
    supported: { 'dynamic-import': false },
    plugins: [
      {
        name: 'one-part',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /./ }, ({ path }) => {
            const name = basename(path);
            const inside = path.startsWith('./') && partOf[name] === part;
            return inside ? { path: name, namespace: part } : { path, external: true };
          });
          onLoad({ filter: /./, namespace: part }, ({ path }) => ({ contents: codeOf[path] }));
        },
      },
    ],
  });
  return `(function(file,require){var module={},__meta={url:"file://"+file};${outputFiles[0].text}return module.exports})`;
}

// Comes before everything else, in words that the oldest Node understands.
const nodeCheck = (name) => `(function () {
  var version = process.versions.node.split('.');
  if (+version[0] > ${major} || (+version[0] === ${major} && +version[1] >= ${minor})) return;
  process.stderr.write('error: ${name} needs Node.js ${major}.${minor} or newer, this is ' + process.version + '\\n');
  process.exit(1);
})();
`;

// The parts of the plugin are comments at its end (docs/adr/0003-one-file-in-parts.md): an older Node doesn't stumble
// over them, and a command doesn't pay for parts that it doesn't use. No code comes from anywhere but this file.
// The file has no ending, so the package.json above it says whether it is CommonJS or an ES module; this runs as both.
const loader = (partOf, comments) => `(function whole() {
  var builtin = process.getBuiltinModule;
  var vm = builtin('node:vm');
  var file = process.argv[1];
  var text = whole.toString(); // V8 has it in memory: this neither reads nor copies it
  var partOf = ${JSON.stringify(partOf)};
  var parts = {};
  function require(id) {
    if (id.startsWith('./')) return part(partOf[id.slice(2)])[id.slice(2)]();
    var found = builtin(id);
    if (!found) throw new Error('no module ' + id); // an optional one, as ws has
    return found;
  }
  function part(name) {
    if (parts[name]) return parts[name];
    var start = text.indexOf('/*' + name + '\\n') + name.length + 3;
    var code = text.slice(start, text.indexOf('*/', start));
    if (name !== 'main') code = builtin('node:zlib').brotliDecompressSync(Buffer.from(code, 'base64')).latin1Slice();
    return (parts[name] = new vm.Script(code, { filename: file + '#' + name }).runInThisContext()(file, require));
  }
  require('./main.js');
${comments}})();
`;

function asComment(name, code) {
  if (/[\x80-\uffff]/.test(code)) throw new Error(`the part ${name} can't be kept in a comment`);
  // Every command reads the file and most need main alone: the others are compressed.
  const text = name === 'main' ? code : brotliCompressSync(code).toString('base64');
  if (text.includes('*/')) throw new Error(`the part ${name} has a */, which would end its comment`);
  return `/*${name}\n${text}*/\n`;
}

const [{ partOf, texts }, runner, lambda] = await Promise.all([
  pluginParts(),
  runnerBundle('runner/job.ts'),
  // It knows its user and takes no proxy: all that the client library is there for.
  runnerBundle('runner/lambda.ts', [CLIENT]),
]);
const comments = Object.entries(texts).map(([name, code]) => asComment(name, code));
const plugin = `#!/usr/bin/env node\n${nodeCheck('kubectl restorehooks')}${loader(partOf, comments.join(''))}`;

mkdirSync('dist', { recursive: true });
writeFileSync('dist/kubectl-restorehooks', plugin, { mode: 0o755 });
writeFileSync('dist/runner.cjs', runner);
// As it is on a PATH, where no package.json is above it: Node takes a millisecond longer to run it as an ES module.
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
writeFileSync('dist/lambda.cjs', lambda);

const size = (text) => `${Math.round(Buffer.byteLength(text) / 1024)} KiB`;
const sizes = Object.entries(texts).map(([name, code]) => `${name} ${size(code)}`);
process.stdout.write(`dist/kubectl-restorehooks  ${size(plugin)} (${sizes.join(', ')})\n`);
process.stdout.write(`dist/runner.cjs            ${size(runner)}\n`);
process.stdout.write(`dist/lambda.cjs            ${size(lambda)}\n`);
process.stdout.write(`image                      ${DEFAULT_IMAGE}\n`);
