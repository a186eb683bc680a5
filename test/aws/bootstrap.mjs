// Runs a handler as Lambda's runtime does: asks for the next event, answers it, and starts again.
import { createRequire } from 'node:module';
import process from 'node:process';

const { handler } = createRequire(import.meta.url)(process.env.LAMBDA_BUNDLE);
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
for (;;) {
  const next = await fetch(`${api}/next`);
  const id = next.headers.get('lambda-runtime-aws-request-id');
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'));
  const context = {
    awsRequestId: id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  const post = (what, body) => fetch(`${api}/${id}/${what}`, { method: 'POST', body: JSON.stringify(body) });
  const event = await next.json();
  try {
    await post('response', await handler(event, context));
  } catch ({ name, message, stack }) {
    await post('error', { errorType: name, errorMessage: message, trace: stack.split('\n') });
  }
}
