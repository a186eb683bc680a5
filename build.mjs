// Bundles the plugin into dist/kubectl-restorehooks and the runner into dist/runner.cjs, one file each.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Of the client library only its KubeConfig is used; with its generated models the runner would be 6.5 MiB. */
const onlyKubeConfig = {
  name: 'only-kube-config',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      const entry = path === CLIENT;
      if (pluginData === 'resolved' || !(entry || from.importer.includes(`/${CLIENT}/dist/`))) return undefined;
      const found = await resolve(path, { ...from, pluginData: 'resolved' });
      if (found.errors.length > 0 || found.external) return found;
      return { path: entry ? found.path.replace(/index\.js$/, 'config.js') : found.path, sideEffects: false };
    });
  },
};

/** What few commands need is a part of its own in the plugin, and only loaded with `import()`. */
const partOf = { [CLIENT]: 'client', yargs: 'help' };
const heavyOnesAreParts = {
  name: 'heavy-ones-are-parts',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${Object.keys(partOf).join('|')})$`) }, ({ path, kind, importer }) =>
      kind === 'dynamic-import'
        ? { path, namespace: 'part' }
        : { errors: [{ text: `${importer}: ${path} may only be loaded with import()` }] },
    );
    onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
      contents: `export * from 'part:${partOf[path]}'; export { default } from 'part:${partOf[path]}';`,
    }));
    onResolve({ filter: /^part:/ }, ({ path }) => ({ path, external: true }));
  },
};

async function bundle(entry, plugins, options) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    target: `node${major}`,
    format: 'cjs',
    // Names are kept: a stack trace in an issue must say something.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    logOverride: { 'empty-import-meta': 'error' },
    plugins,
    ...options,
  });
  return outputFiles[0].text;
}

// Comes before everything else, in words that the oldest Node understands.
const nodeCheck = (name) => `(function () {
  var version = process.versions.node.split('.');
  if (+version[0] > ${major} || (+version[0] === ${major} && +version[1] >= ${minor})) return;
  process.stderr.write('error: ${name} needs Node.js ${major}.${minor} or newer, this is ' + process.version + '\\n');
  process.exit(1);
})();
`;

// The parts of the plugin are comments at its end: an older Node doesn't stumble over them, a command doesn't pay for
// parts that it doesn't use, and what is compiled here comes from V8's cache the next time, which the main file itself
// never does. The cache is not Node's default, a folder in /tmp: others can write there.
// The file has no ending, so the package.json above it says whether it is CommonJS or an ES module; this runs as both.
const loader = `(function () {
  var builtin = process.getBuiltinModule;
  var Module = builtin('node:module');
  var path = builtin('node:path');
  var file = process.argv[1];
  var cache = process.env.XDG_CACHE_HOME || path.join(builtin('node:os').homedir(), '.cache');
  Module.enableCompileCache(process.env.NODE_COMPILE_CACHE || path.join(cache, 'kubectl-restorehooks', 'compiled'));
  var text = builtin('node:fs').readFileSync(file, 'latin1');
  var loaded = {};
  function load(name) {
    if (loaded[name]) return loaded[name].exports;
    var start = text.indexOf('/*' + name + '\\n') + name.length + 3;
    var code = text.slice(start, text.indexOf('*/', start));
    code =
      name === 'main'
        ? code.replaceAll('*\\u0001/', '*/')
        : builtin('node:zlib').brotliDecompressSync(Buffer.from(code, 'base64')).toString();
    var part = (loaded[name] = new Module(file + '#' + name));
    part.filename = part.id;
    part.require = function (id) {
      if (id.startsWith('part:')) return load(id.slice(5));
      var found = builtin(id);
      if (!found) throw new Error('no module ' + id); // an optional one, as ws has
      return found;
    };
    part._compile(code, part.filename, 'commonjs');
    return part.exports;
  }
  load('main');
})();
`;

function mainAsComment(code) {
  // esbuild writes ASCII, so latin1 above reads it right.
  if (/[\x01\x80-\uffff]/.test(code)) throw new Error("the plugin's code can't be kept in a comment");
  return `/*main\n${code.replaceAll('*/', '*\x01/')}*/\n`;
}
// Compressed, since every command reads it and few unpack it.
const partAsComment = (name, code) => `/*${name}\n${brotliCompressSync(code).toString('base64')}*/\n`;

/** yargs asks where it is, to find translations: they aren't here, and aren't missed. */
const yargsWithoutItsPlace = {
  define: { 'import.meta': 'importMeta' },
  banner: { js: "var importMeta = { url: require('node:url').pathToFileURL(__filename).href };" },
};

const [main, client, help, runner] = await Promise.all([
  bundle('plugin/main.ts', [heavyOnesAreParts]),
  bundle(CLIENT, [onlyKubeConfig]),
  bundle('yargs', [], yargsWithoutItsPlace),
  bundle('runner/job.ts', [onlyKubeConfig], { banner: { js: nodeCheck('the runner of kubectl restorehooks') } }),
]);
const plugin = `#!/usr/bin/env node\n${nodeCheck('kubectl restorehooks')}${loader}${mainAsComment(main)}${partAsComment('client', client)}${partAsComment('help', help)}`;

mkdirSync('dist', { recursive: true });
writeFileSync('dist/kubectl-restorehooks', plugin, { mode: 0o755 });
writeFileSync('dist/runner.cjs', runner);

const size = (text) => `${Math.round(Buffer.byteLength(text) / 1024)} KiB`;
process.stdout.write(
  `dist/kubectl-restorehooks  ${size(plugin)} (main ${size(main)}, client ${size(client)}, help ${size(help)})\n`,
);
process.stdout.write(`dist/runner.cjs            ${size(runner)}\n`);
process.stdout.write(`image                      ${DEFAULT_IMAGE}\n`);
