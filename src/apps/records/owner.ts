/** The one owner of everything on this server. */
export const OWNER = {
  id: '00000000-0000-4000-8000-000000000001',
  email: 'owner@tailrace.localhost',
} as const;
