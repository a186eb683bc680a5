export { fileError, readInput, readTexts } from '../shared/input/files.ts';
