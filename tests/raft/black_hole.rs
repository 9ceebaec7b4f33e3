//! A network that can swallow everything one node says and hears, without closing anything.
//!
//! Owns the wrapper around real sockets. As with a pulled cable, nobody is told: writes succeed, reads
//! wait, and a connection that was used meanwhile stays dead.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use eureka_raft::net::{Connection, Listener, Network, TcpNetwork};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One node's cable.
#[derive(Clone, Default)]
pub struct Cable {
    pulled: Arc<AtomicBool>,
}

impl Cable {
    pub fn pull(&self) {
        self.pulled.store(true, Ordering::SeqCst);
    }

    pub fn plug_in(&self) {
        self.pulled.store(false, Ordering::SeqCst);
    }

    fn is_pulled(&self) -> bool {
        self.pulled.load(Ordering::SeqCst)
    }

    fn wrap(&self, inner: Connection) -> Connection {
        Box::new(Wire {
            inner,
            cable: self.clone(),
            dead: false,
        })
    }
}

impl Network for Cable {
    fn connect(&self, addr: &str) -> BoxFuture<'static, io::Result<Connection>> {
        let (cable, connecting) = (self.clone(), TcpNetwork.connect(addr));
        Box::pin(async move {
            let connection = connecting.await?;
            if cable.is_pulled() {
                std::future::pending::<()>().await;
            }
            Ok(cable.wrap(connection))
        })
    }

    fn listen(&self, addr: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (cable, listening) = (self.clone(), TcpNetwork.listen(addr));
        Box::pin(async move {
            let inner = listening.await?;
            Ok(Box::new(Socket { inner, cable }) as Box<dyn Listener>)
        })
    }
}

struct Socket {
    inner: Box<dyn Listener>,
    cable: Cable,
}

impl Listener for Socket {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
        Box::pin(async move {
            let (connection, from) = self.inner.accept().await?;
            Ok((self.cable.wrap(connection), from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

struct Wire {
    inner: Connection,
    cable: Cable,
    dead: bool,
}

impl Wire {
    fn is_dead(&mut self) -> bool {
        self.dead |= self.cable.is_pulled();
        self.dead
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Pending;
        }
        let filled = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.is_dead() {
            buf.set_filled(filled);
            return Poll::Pending;
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_dead() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
