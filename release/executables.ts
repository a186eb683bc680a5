import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Architecture, NodeBinary } from './node-binaries.ts';
import { ROOT, run } from './tools.ts';

/** Where Node looks for a program in its own file; the same in every Node. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * The program as Node's own blob. It has no code cache: the cache's bytes are others at each build, and would save 2 ms
 * of 39 (docs/releasing.md). Without one the blob is the same for every architecture.
 */
export function programBlob(work: string): string {
  const folder = join(work, 'blob');
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(ROOT, 'dist/kubectl-restorehooks'), join(folder, 'kubectl-restorehooks'));
  // The names are relative, as the blob contains them.
  const config = {
    main: 'kubectl-restorehooks',
    output: 'program.blob',
    disableExperimentalSEAWarning: true,
    // NODE_OPTIONS is for the Node.js of its user, and this program is none.
    execArgvExtension: 'none',
  };
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config));
  run(process.execPath, ['--experimental-sea-config', 'sea.json'], { cwd: folder });
  return join(folder, 'program.blob');
}

/** An executable of this architecture: Node with the program in it (R9.13). */
export function executable(arch: Architecture, node: NodeBinary, blob: string, work: string): string {
  const file = join(work, `kubectl-restorehooks-${arch}`);
  copyFileSync(node.file, file);
  run(process.execPath, [
    join(ROOT, 'node_modules/postject/dist/cli.js'),
    file,
    'NODE_SEA_BLOB',
    blob,
    '--sentinel-fuse',
    FUSE,
  ]);
  return file;
}
