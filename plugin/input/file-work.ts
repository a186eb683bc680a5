import type { FileContext } from '../../shared/input/files.ts';
import { beginWork } from '../output/progress.ts';
import type { Context } from '../process/context.ts';

/** Read files with the context that `read` gets, and tell how far that has come if it takes long (R7.40). */
export async function whileReading<T>(context: Context, read: (context: FileContext) => Promise<T>): Promise<T> {
  const work = beginWork(context, 'reading files');
  const onFile = (done: number, total?: number): void => work.at({ done, total, unit: 'files' });
  try {
    // Not a copy, which would open stdin.
    return await read(Object.create(context, { onFile: { value: onFile } }) as FileContext);
  } finally {
    work.end();
  }
}
