//! The only sockets of the process.
//!
//! Owns how a connection is opened and accepted, behind one small trait, so that the same server
//! runs over a simulated network. It may not know what is said over a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// An open connection.
pub type Connection = Box<dyn Stream>;

/// Accepts connections on one address.
pub trait Listener: Send + 'static {
    /// The next connection and who opened it.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>>;

    /// The address it is bound to, with the port the system chose if 0 was asked for.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A way to reach other nodes and be reached.
pub trait Network: Send + Sync + 'static {
    /// Opens a connection to `addr` (`host:port`). The caller sets the deadline.
    fn connect(&self, addr: &str) -> BoxFuture<'static, io::Result<Connection>>;

    /// Binds `addr` (`host:port`).
    fn listen(&self, addr: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// A network shared by the parts of one node.
pub type SharedNetwork = Arc<dyn Network>;

/// TCP by the operating system, without Nagle's delay.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpNetwork;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4_096;

impl Network for TcpNetwork {
    fn connect(&self, addr: &str) -> BoxFuture<'static, io::Result<Connection>> {
        let addr = addr.to_owned();
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(&addr).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Connection)
        })
    }

    fn listen(&self, addr: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let addr = addr.to_owned();
        Box::pin(async move {
            let addr = tokio::net::lookup_host(&addr)
                .await?
                .next()
                .ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, format!("{addr} has no address"))
                })?;
            let socket = if addr.is_ipv4() {
                tokio::net::TcpSocket::new_v4()?
            } else {
                tokio::net::TcpSocket::new_v6()?
            };
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            Ok(Box::new(socket.listen(BACKLOG)?) as Box<dyn Listener>)
        })
    }
}

impl Listener for tokio::net::TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = tokio::net::TcpListener::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Connection, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        tokio::net::TcpListener::local_addr(self)
    }
}
