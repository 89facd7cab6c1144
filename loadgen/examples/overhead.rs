use std::cell::Cell; use std::time::{Duration, Instant};
use edgeproof_loadgen::{check::Checks, expect::{Charge, Quota}, plan::*, run::*};
use http::HeaderMap; use bytes::Bytes;
struct T { kind: u8, now: Cell<u64>, left: Vec<Cell<u64>>, ok: Vec<HeaderMap>, no: HeaderMap, body: Bytes }
impl Target for T {
  async fn send(&self, p: &Planned) -> Result<Answer, SendError> {
    let mut y=false;
    std::future::poll_fn(|c| if std::mem::replace(&mut y,true) {std::task::Poll::Ready(())} else {c.waker().wake_by_ref(); std::task::Poll::Pending}).await;
    self.now.set(self.now.get()+5000);
    if self.kind==0 { return Ok(Answer{status:201,headers:HeaderMap::new(),body:Bytes::new()}) }
    let l=&self.left[p.user as usize];
    if l.get()>0 { l.set(l.get()-1); Ok(Answer{status:201,headers:self.ok[l.get() as usize].clone(),body:Bytes::new()}) }
    else { Ok(Answer{status:429,headers:self.no.clone(),body:self.body.clone()}) }
  }
  fn now(&self)->Duration{Duration::from_nanos(self.now.get())}
}
fn h(r:u64,t:u64,deny:bool)->HeaderMap{ let mut m=HeaderMap::new();
 for (k,v) in [("strict-transport-security","max-age=31536000; includeSubDomains"),("x-content-type-options","nosniff"),("x-frame-options","DENY"),("content-security-policy","default-src 'none'; frame-ancestors 'none'"),("referrer-policy","no-referrer"),("cache-control","no-store"),("x-request-id","abc"),("ratelimit-policy","\"write\";q=50;w=60")] { m.insert(http::HeaderName::from_static(k), v.parse().unwrap()); }
 m.insert("ratelimit", format!("\"write\";r={r};t={t}").parse().unwrap());
 m.insert("content-type", if deny {"application/problem+json"} else {"application/json"}.parse().unwrap());
 if deny { m.insert("retry-after", t.to_string().parse().unwrap()); } m }
fn main(){
 for (kind,users,q) in [(0u8,5000u32,0u64),(1,5000,50),(1,1000,50)] { for round in 0..3 {
  let plan=Plan{template:Template{method:http::Method::POST,path_and_query:"/api/transactions".into(),headers:HeaderMap::new(),body:Bytes::new()},auth:Auth::PerUser,identities:Identities::PerUser,requests:200_000,clients:1000,users,pops:vec![],seed:0};
  let t=T{kind,now:Cell::new(0),left:(0..users).map(|_|Cell::new(50)).collect(),ok:(0..50).map(|r|h(r,60,false)).collect(),no:h(0,12,true),body:Bytes::from_static(br#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too many requests","status":429,"detail":"x","requestId":"abc","violated-policies":["write"]}"#)};
  let c=if kind==0 {Checks::new(&plan,Charge::Free,None)} else {Checks::new(&plan,Charge::Write,Some(Quota{requests:q,window_seconds:60}))};
  let b=Burst::new(&plan,t,c,&|_|{});
  let s=Instant::now(); tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(b.run()); let e=s.elapsed();
  let (tally,_)=b.finish();
  println!("kind {kind} users {users} round {round}: {:.3} us/req admitted {} denied {} foreign {}", e.as_secs_f64()*1e6/200_000.0, tally.admitted,tally.denied,tally.foreign);
 }}
 // clone costs alone
 let m=h(3,60,false); let s=Instant::now(); for _ in 0..200_000 { std::hint::black_box(m.clone()); } println!("clone {:.3} us", s.elapsed().as_secs_f64()*1e6/200_000.0);
}
