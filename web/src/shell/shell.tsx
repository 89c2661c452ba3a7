import { AppShell, Center, Container, Group, Loader, VisuallyHidden } from '@mantine/core';
import { IconList, IconPlus, IconServer } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { type ReactNode, Suspense, useEffect, useRef } from 'react';
import { useIsStale } from '../api/connection.ts';
import { accessQuery } from '../api/queries.ts';
import { ColorSchemeMenu } from './color-scheme-menu.tsx';
import { HealthBanner } from './health-banner.tsx';
import { SignOut } from './sign-out.tsx';
import { TokenGate } from './token-gate.tsx';

/** What is around every page: the way to the others, and what is wrong with the service. */
export function Shell() {
  const access = useQuery(accessQuery);
  const locked = access.data?.tokenRequired === true && !access.data.granted;
  return (
    <AppShell header={{ height: 56 }} padding={0}>
      <a className="skip-link" href="#content">
        Skip to the page
      </a>
      <AppShell.Header>
        <Container size={1400} h="100%">
          <Group h="100%" justify="space-between" wrap="nowrap" gap="xs">
            <Group gap="xs" wrap="nowrap">
              <Link to="/" className="brand" aria-label="Epochal, all runs">
                <img src="/icon.svg" alt="" width={28} height={28} />
                <span className="hide-on-phone">Epochal</span>
              </Link>
              <Group component="nav" aria-label="Pages" gap={4} wrap="nowrap" ml={{ base: 0, sm: 'md' }}>
                <NavLink to="/" icon={<IconList size={17} aria-hidden />} label="Runs" />
                <NavLink to="/new" icon={<IconPlus size={17} aria-hidden />} label="New run" />
                <NavLink to="/hosts" icon={<IconServer size={17} aria-hidden />} label="Hosts" />
              </Group>
            </Group>
            <Group gap="xs" wrap="nowrap">
              <ColorSchemeMenu />
              {access.data?.tokenRequired === true && access.data.granted && <SignOut />}
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main id="content" tabIndex={-1}>
        <Container size={1400} py="lg">
          {/* Before it is known whether this browser is signed in, every question of a page would only be refused. */}
          {locked ? <TokenGate /> : access.isPending ? <PageLoading /> : <Content />}
        </Container>
      </AppShell.Main>
      <PageAnnouncer />
    </AppShell>
  );
}

function Content() {
  const isStale = useIsStale();
  return (
    <div data-stale={isStale || undefined}>
      <HealthBanner />
      <Suspense fallback={<PageLoading />}>
        <Outlet />
      </Suspense>
    </div>
  );
}

function NavLink({ to, icon, label }: { to: '/' | '/new' | '/hosts'; icon: ReactNode; label: string }) {
  return (
    <Link to={to} className="nav-link" activeOptions={{ exact: true, includeSearch: false }}>
      {icon}
      {label}
    </Link>
  );
}

export function PageLoading() {
  return (
    <Center py={80}>
      <Loader role="status" aria-label="Loading" />
    </Center>
  );
}

/** A screen reader is told of a new page, which nothing but the address says otherwise. */
function PageAnnouncer() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const told = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const name =
      path === '/' ? 'Runs' : path.startsWith('/runs/') ? decodeURIComponent(path.slice(6)) : pageNames[path];
    document.title = name ? `${name} · Epochal` : 'Epochal';
    if (told.current) told.current.textContent = name ?? '';
  }, [path]);
  return (
    <VisuallyHidden>
      <span ref={told} aria-live="polite" />
    </VisuallyHidden>
  );
}

const pageNames: Readonly<Record<string, string>> = {
  '/new': 'New run',
  '/hosts': 'Hosts',
  '/compare': 'Compare runs',
};
