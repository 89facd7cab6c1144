//! A server's address, and a connection to it: TCP, and TLS where the URL says https.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::host::is_loopback;
use crate::answer::SendError;

/// A server's address and how to speak to it.
pub(super) struct Server {
    host: String,
    port: u16,
    pub(super) authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Whether only loopback addresses may be connected to, whatever the name resolves to.
    loopback: bool,
    pub(super) timeout: Duration,
}

impl Server {
    pub(super) fn new(origin: &Url, timeout: Duration) -> Result<Self, SendError> {
        let connect = |what: &str| SendError::Connect(what.to_owned());
        let host = origin
            .host_str()
            .ok_or_else(|| connect("the URL has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = origin
            .port_or_known_default()
            .ok_or_else(|| connect("the URL has no port"))?;
        let authority = origin[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let tls = match origin.scheme() {
            "https" => {
                let roots =
                    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                let mut config = ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| connect("the host is no TLS name"))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
            _ => None,
        };
        Ok(Self {
            loopback: is_loopback(origin),
            authority: HeaderValue::from_str(&authority)
                .map_err(|_| connect("the host is no header value"))?,
            host,
            port,
            tls,
            timeout,
        })
    }

    pub(super) async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, SendError> {
        let failed =
            |error: io::Error| SendError::Connect(format!("{}:{}: {error}", self.host, self.port));
        let connecting = async {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((self.host.as_str(), self.port))
                    .await
                    .map_err(failed)?
                    .filter(|address| !self.loopback || address.ip().is_loopback())
                    .collect();
            let stream = TcpStream::connect(addresses.as_slice())
                .await
                .map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            match &self.tls {
                None => shake_hands(stream).await,
                Some((connector, name)) => {
                    shake_hands(
                        connector
                            .connect(name.clone(), stream)
                            .await
                            .map_err(failed)?,
                    )
                    .await
                }
            }
        };
        timeout(self.timeout, connecting).await.unwrap_or_else(|_| {
            Err(SendError::Connect(format!(
                "{}:{}: timed out",
                self.host, self.port
            )))
        })
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SendError::Connect(error.to_string()))?;
    // The connection's own error reaches the request that waits for it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
