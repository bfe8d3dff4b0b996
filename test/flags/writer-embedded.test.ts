import { startServer, TOKENS } from './world.ts';
import { describeWriter } from './writer-suite.ts';

describeWriter('the embedded server', async () => {
  const { url } = await startServer();
  return { url, adminToken: TOKENS.admin };
});
