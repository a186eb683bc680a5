// Bundles the plugin into dist/kubectl-restorehooks and the runner into dist/runner.cjs, one file each.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build, transform } from 'esbuild';
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
const bundled = { ...common, bundle: true, write: false, plugins: [onlyKubeConfig] };

async function runnerBundle() {
  const banner = { js: nodeCheck('the runner of kubectl restorehooks') };
  const { outputFiles } = await build({ ...bundled, entryPoints: ['runner/job.ts'], format: 'cjs', banner });
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
};

/**
 * The plugin's code, by part. A part's text is an object of CommonJS functions: esbuild splits the code into modules,
 * so that each is there once, and here they are put together again into few parts.
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
  for (const part of ['main', 'cluster', 'client', 'help', 'inject', 'lint']) {
    for (const [module, { entryPoint }] of Object.entries(metafile.outputs)) {
      if (entryPoint && (PARTS[entryPoint] ?? 'cluster') === part) assign(module, part);
    }
  }
  for (const entry of Object.keys(PARTS)) {
    if (!Object.values(metafile.outputs).some(({ entryPoint }) => entryPoint === entry)) {
      throw new Error(`${entry} is not loaded with import() alone`);
    }
  }
  const functions = { main: [], cluster: [], client: [], help: [], inject: [], lint: [] };
  for (const { path, text } of outputFiles) {
    const name = basename(path);
    // yargs asks where it is, to find translations: they aren't here, and aren't missed.
    const define = { 'import.meta': '__meta' };
    const { code } = await transform(text, {
      ...common,
      define,
      format: 'cjs',
      supported: { 'dynamic-import': false },
    });
    functions[partOf[name]].push(`${JSON.stringify(name)}(exports,require,module){${code}}`);
  }
  const texts = Object.entries(functions).map(([part, all]) => [
    part,
    `(function(file){var __meta={url:"file://"+file};return{${all.join(',')}}})`,
  ]);
  return { partOf, texts: Object.fromEntries(texts) };
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
// over them, and a command doesn't pay for parts that it doesn't use. V8's cache of each is written after a command has
// run, one per command: then it holds the functions that ran, which Node's own compile cache, made before, doesn't.
// V8 itself refuses what another V8 has written; that the code is the same one has to be said by the folder's name.
// The file has no ending, so the package.json above it says whether it is CommonJS or an ES module; this runs as both.
const loader = (partOf, codeId) => `(function () {
  var builtin = process.getBuiltinModule;
  var fs = builtin('node:fs');
  var path = builtin('node:path');
  var vm = builtin('node:vm');
  var file = process.argv[1];
  var bytes = fs.readFileSync(file);
  var partOf = ${JSON.stringify(partOf)};
  var parts = {};
  var modules = {};
  function load(name) {
    if (modules[name]) return modules[name].exports;
    var module = (modules[name] = { exports: {} });
    part(partOf[name])[name](module.exports, require, module);
    return module.exports;
  }
  function require(id) {
    if (id.startsWith('./')) return load(id.slice(2));
    var found = builtin(id);
    if (!found) throw new Error('no module ' + id); // an optional one, as ws has
    return found;
  }
  function part(name) {
    if (parts[name]) return parts[name];
    var start = bytes.indexOf('/*' + name + '\\n') + name.length + 3;
    var code = bytes.latin1Slice(start, bytes.indexOf('*/', start));
    code =
      name === 'main'
        ? code.replaceAll('*\\u0001/', '*/')
        : builtin('node:zlib').brotliDecompressSync(Buffer.from(code, 'base64')).latin1Slice();
    return (parts[name] = compile(name, code).runInThisContext()(file));
  }
  var command = /^[a-z]+$/.test(process.argv[2]) ? process.argv[2] : 'any';
  function compile(name, code) {
    var options = { filename: file + '#' + name };
    if (process.env.NODE_DISABLE_COMPILE_CACHE) return new vm.Script(code, options);
    try {
      var cached = path.join(cacheFolder(), name + '-' + command);
      options.cachedData = fs.readFileSync(cached);
    } catch {}
    var script = new vm.Script(code, options);
    if (script.cachedDataRejected !== false) process.once('exit', () => save(script, cached));
    return script;
  }
  function cacheFolder() {
    var base = process.env.XDG_CACHE_HOME || path.join(builtin('node:os').homedir(), '.cache');
    return path.join(base, 'kubectl-restorehooks', '${codeId}-' + process.version + '-' + process.arch);
  }
  // Not with mkdirSync's own recursion, which never ends below /proc.
  function makeFolder(folder, levels) {
    if (fs.existsSync(folder)) return;
    if (levels > 1) makeFolder(path.dirname(folder), levels - 1);
    fs.mkdirSync(folder, { mode: 0o700 });
  }
  function save(script, cached) {
    try {
      makeFolder(path.dirname(cached), 3);
      var unfinished = cached + '.' + process.pid;
      fs.writeFileSync(unfinished, script.createCachedData(), { mode: 0o600, flag: 'wx' });
      fs.renameSync(unfinished, cached);
    } catch {} // no folder to write to: the next start is as slow as this one
  }
  load('main.js');
})();
`;

function asComment(name, code) {
  // esbuild writes ASCII, so latin1 above reads it right.
  if (/[\x01\x80-\uffff]/.test(code)) throw new Error(`the part ${name} can't be kept in a comment`);
  // Every command reads the file and most need main alone: the others are compressed.
  const text = name === 'main' ? code.replaceAll('*/', '*\x01/') : brotliCompressSync(code).toString('base64');
  return `/*${name}\n${text}*/\n`;
}

const [{ partOf, texts }, runner] = await Promise.all([pluginParts(), runnerBundle()]);
const codeId = createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16);
const comments = Object.entries(texts).map(([name, code]) => asComment(name, code));
const plugin = `#!/usr/bin/env node\n${nodeCheck('kubectl restorehooks')}${loader(partOf, codeId)}${comments.join('')}`;

mkdirSync('dist', { recursive: true });
writeFileSync('dist/kubectl-restorehooks', plugin, { mode: 0o755 });
writeFileSync('dist/runner.cjs', runner);

const size = (text) => `${Math.round(Buffer.byteLength(text) / 1024)} KiB`;
const sizes = Object.entries(texts).map(([name, code]) => `${name} ${size(code)}`);
process.stdout.write(`dist/kubectl-restorehooks  ${size(plugin)} (${sizes.join(', ')})\n`);
process.stdout.write(`dist/runner.cjs            ${size(runner)}\n`);
process.stdout.write(`image                      ${DEFAULT_IMAGE}\n`);
