/** The page's content security policy forbids eval, and zod would try it to compile schemas. */
import { z } from 'zod';

z.config({ jitless: true });
